package stdout_test

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// console returns what the console prints for a behind the time.
func console(t require.TestingT, a otelaudit.Activity) string {
	text := export(t, stdout.NewConsole, recorded(t, a))
	return strings.TrimPrefix(text, "2026-05-04 UTC\n12:04:05.123  ")
}

func TestConsole(t *testing.T) {
	t.Parallel()
	user := otelaudit.User
	for name, test := range map[string]struct {
		activity otelaudit.Activity
		want     string
	}{
		"nothing but an action": {
			otelaudit.Activity{Action: "a"},
			"  unknown         a                             success\n",
		},
		"a target without an id": {
			otelaudit.Activity{Action: "a", Actor: otelaudit.Anonymous(), Target: otelaudit.Target{Type: "ledger"}},
			"  anonymous       a               ledger        success\n",
		},
		"a target without a type": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Target: otelaudit.Target{ID: "42", Name: "x"}},
			"  u               a               42 \"x\"        success\n",
		},
		"a target with a name only": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Target: otelaudit.Target{Name: "x"}},
			"  u               a               \"x\"           success\n",
		},
		"a chain": {
			otelaudit.Activity{Action: "a", Actor: otelaudit.Service("s").For(otelaudit.System("t")).For(otelaudit.Anonymous())},
			"  service s for system t for anonymous  a                             success\n",
		},
		"a chain too long, roles too many": {
			otelaudit.Activity{Action: "a", Actor: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "u", Roles: strings.Fields("a b c d e f")}.
				For(user("v")).For(user("w")).For(user("x")).For(user("y")).For(user("z"))},
			"  u (a, b, c, d, …) for v for w for x for …  a    success\n",
		},
		"an error and a reason": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Err: fmt.Errorf("%w", otelaudit.ErrDenied), Reason: "no"},
			"✗ u               a                             DENIED   \"no\"\n", // *errors.errorString is no news
		},
		"an error of a type of its own": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Err: fmt.Errorf("reading: %w", &fs.PathError{Err: fs.ErrNotExist})},
			"! u               a                             FAILURE  error *fs.PathError\n",
		},
		"words that need quotes": {
			otelaudit.Activity{Action: "a b", Actor: otelaudit.Actor{Type: otelaudit.ActorUser, ID: `domain\user`, Roles: []string{"a,b"}}, Target: otelaudit.Target{Type: "t t", ID: `"`}},
			`  "domain\\user" ("a,b")  "a b"           "t t"/"\""    success` + "\n",
		},
		"other scripts": {
			otelaudit.Activity{Action: "عمل", Actor: user("山田"), Target: otelaudit.Target{Type: "Тип", ID: "é"}, Reason: "می\u200cخواهم 👩\u200d💻"},
			"  山田            عمل             Тип/é         success  \"می\u200cخواهم 👩\u200d💻\"\n",
		},
		"white space": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Reason: "one\r\ntwo\n\nthree\tfour\u00a0five\u2028six\u3000seven"},
			"  u               a                             success  \"one↵two↵↵three four five↵six seven\"\n",
		},
		"a heap of marks": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Reason: "Z" + strings.Repeat("\u0301", 500) + "o"},
			"  u               a                             success  \"Z" + strings.Repeat("\u0301", 8) + "…o\"\n",
		},
		"marks to the end": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Reason: "Z" + strings.Repeat("\u0301", 9)},
			"  u               a                             success  \"Z" + strings.Repeat("\u0301", 8) + "…\"\n",
		},
		"values": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Metadata: []attribute.KeyValue{
				attribute.Bool("b", true), attribute.Int("i", 1), attribute.Float64("f", 1), attribute.Float64("g", 1e300), attribute.Float64("h", math.Copysign(0, -1)),
				attribute.String("s", "1"), attribute.ByteSlice("y", []byte("x")), attribute.Map("m", attribute.String("k", "a\nb")),
				{Key: "z"},
			}},
			"  u               a                             success\n" +
				`                  with  b=true  f=1.0  g=1e+300  h=-0.0  i=1  m={"k":"a\nb"}  s="1"  y=eA==  z=none` + "\n",
		},
		"a change from nothing to nothing": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Changes: otelaudit.Changes{{Field: "f"}}},
			"  u               a                             success\n                  f: none → none\n",
		},
		"what was altered": {
			otelaudit.Activity{Action: "a", Actor: user("u"), Reason: "\x1b[31mred", Tenant: strings.Repeat("t", 2000)},
			"  u               a                             success  \"�[31mred\"\n" +
				"                  altered  otelaudit.reason (control)  otelaudit.tenant.id (too_long)\n",
		},
		"long texts": {
			otelaudit.Activity{
				Action: "a", Actor: user("u"), Reason: strings.Repeat("r", 1000),
				Changes: otelaudit.Changes{{Field: strings.Repeat("f", 200), Old: attribute.IntValue(1), New: attribute.StringValue(strings.Repeat("山", 500))}, {Field: "x", New: attribute.IntValue(2)}},
			},
			"  u               a                             success  \"" + strings.Repeat("r", 239) + "…\"\n" +
				"                  " + strings.Repeat("f", 127) + "…: 1 → \"" + strings.Repeat("山", 49) + "…\"\n" +
				"                + x: 2\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, console(t, test.activity))
		})
	}
}

func TestConsoleCutsLongLists(t *testing.T) {
	t.Parallel()
	a := otelaudit.Activity{Action: "a.b"}
	for i := range 60 {
		a.Changes = append(a.Changes, otelaudit.Change{Field: fmt.Sprintf("field%02d", i), New: attribute.IntValue(i)})
		a.Metadata = append(a.Metadata, attribute.Int(fmt.Sprintf("key%02d", i), i))
		a.Related = append(a.Related, otelaudit.Target{Type: "t", ID: fmt.Sprint(i)})
	}
	text := console(t, a)
	lines := strings.Split(text, "\n")
	require.Len(t, lines, 1+24+1+1+3+1)
	require.Equal(t, "                + field23: 23", lines[24])
	require.Equal(t, "                  … and 36 more", lines[25])
	require.Equal(t, "                  also  t/0  t/1  t/2  t/3  t/4  t/5  t/6  t/7  … and 52 more", lines[26])
	require.True(t, strings.HasPrefix(lines[27], "                  with  key00=0  "))
	require.True(t, strings.HasPrefix(lines[28], "                        key"))
	require.True(t, strings.HasSuffix(lines[29], "  key23=23  … and 36 more"))
	for _, line := range lines {
		require.LessOrEqual(t, len(line), 140)
	}
}

// Columns widen with what comes, but one long entry moves nothing for good.
func TestConsoleAligns(t *testing.T) {
	t.Parallel()
	column := func(line, what string) int {
		before, _, found := strings.Cut(line, what)
		require.True(t, found)
		return utf8.RuneCountInString(before)
	}
	action := func(line string) int { return column(line, "x.y") }
	target := func(line string) int { return column(line, "t/1") }
	var as []otelaudit.Activity
	for _, id := range []string{"a", "a-rather-long-identity", "b", strings.Repeat("long", 12), "c"} {
		as = append(as, otelaudit.Activity{Action: "x.y", Actor: otelaudit.User(id), Target: otelaudit.Target{Type: "t", ID: "1"}})
	}
	lines := strings.Split(export(t, stdout.NewConsole, recorded(t, as...)), "\n")[1:]
	require.Equal(t, 32, action(lines[0]))
	require.Equal(t, 40, action(lines[1]))
	require.Equal(t, 40, action(lines[2]))
	require.Equal(t, 66, action(lines[3]))
	require.Equal(t, 40, action(lines[4]))
	require.Equal(t, target(lines[2]), target(lines[4]))
}

func TestConsoleSaysTheDayWhenItChanges(t *testing.T) {
	t.Parallel()
	text := export(t, stdout.NewConsole, recorded(t,
		otelaudit.Activity{Action: "a.b", Time: noon.AddDate(0, 0, -1)},
		otelaudit.Activity{Action: "a.b", Time: noon},
		otelaudit.Activity{Action: "a.b", Time: noon},
		otelaudit.Activity{Action: "a.b", Time: noon.AddDate(0, 0, -1)},
	))
	var days []string
	for line := range strings.Lines(text) {
		if day, ok := strings.CutSuffix(line, " UTC\n"); ok {
			days = append(days, day)
		}
	}
	require.Equal(t, []string{"2026-05-03", "2026-05-04", "2026-05-03"}, days)
}
