package stdout_test

import (
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/exporter/stdout"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// hostile draws texts that would move the cursor, clear the screen, reorder or forge lines.
func hostile() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.String(),
		rapid.StringN(0, 300, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{
			"\x1b[2J", "\x1b]0;title\a", "\x1b[31m", "\u009b31m", "\r", "\n", "\r\n", "\u0085", "\u2028", "\u2029", "\v", "\f", "\x00", "\x7f", "\b\b\b",
			"\u202e", "\u2066", "\u2069", "\u200f", "\u200e", "\u061c", "\ufeff", "\u200b", "\u00ad", "\U000e0041", "\ufffe", "\ue000",
			"\n12:04:05.123    root  invoice.pay  invoice/1  success\n", "\"", "\\", "  ", "→", "↵", "…",
			"\u3164", "\uffa0", "\u115f", "\u1160", "\ufe0f", "\U000e0100", "\u180b", "\u034f", "\u17b4", "\u2800", "\u0301", "\u20dd",
			"مرحبا", "שלום", "山田", "é", "👩‍💻",
		}),
	)
	return rapid.Map(rapid.SliceOfN(piece, 0, 4), func(ss []string) string { return strings.Join(ss, "") })
}

func hostileValue() *rapid.Generator[attribute.Value] {
	return rapid.OneOf(
		rapid.Map(hostile(), attribute.StringValue),
		rapid.Map(rapid.SliceOfN(hostile(), 0, 3), attribute.StringSliceValue),
		rapid.Custom(func(t *rapid.T) attribute.Value {
			return attribute.MapValue(attribute.Slice(hostile().Draw(t, "inner key"), attribute.StringValue(hostile().Draw(t, "inner value"))))
		}),
	)
}

func hostileActivity(t *rapid.T) otelaudit.Activity {
	text := func(name string) string { return hostile().Draw(t, name) }
	target := func(name string) otelaudit.Target {
		return otelaudit.Target{Type: text(name + " type"), ID: text(name + " id"), Name: text(name + " name")}
	}
	a := otelaudit.Activity{
		Action: "x" + text("action"),
		Actor: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "u" + text("actor"), Name: text("name"), Roles: []string{text("role")}}.
			For(otelaudit.Actor{Type: otelaudit.ActorService, ID: "s" + text("for"), Name: text("name of for")}),
		Target:  target("target"),
		Related: []otelaudit.Target{target("related")},
		Reason:  text("reason"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "entries") {
		a.Changes = append(a.Changes, otelaudit.Change{Field: text("field"), Old: hostileValue().Draw(t, "old"), New: hostileValue().Draw(t, "new")})
		a.Metadata = append(a.Metadata, attribute.KeyValue{Key: attribute.Key("m" + text("key")), Value: hostileValue().Draw(t, "value")})
	}
	return a
}

var (
	ourColours = regexp.MustCompile("\x1b\\[(0|1|2|31|32|33|36|1;31)m")
	day        = regexp.MustCompile(`^2026-05-04 UTC$`)
	head       = regexp.MustCompile(`^12:04:05\.123  [ ✗!?] [^ ]`)
	detail     = regexp.MustCompile(`^ {16}[+ -] [^ ]|^ {20,}[^ ]`)
)

// requireHarmless fails where text holds anything but visible characters and line feeds. It does not ask how the console
// decides: it asks Unicode.
func requireHarmless(t require.TestingT, text string) {
	for _, r := range text {
		if r == '\n' || r == '\u200c' || r == '\u200d' {
			continue
		}
		if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
			!unicode.IsGraphic(r) || r == '\u2800' {
			require.Failf(t, "not harmless", "%U in %q", r, text)
		}
	}
}

func TestConsoleOfHostileActivities(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := recorded(t, hostileActivity(t))
		text := export(t, stdout.NewConsole, records)
		requireHarmless(t, text)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		require.Regexp(t, day, lines[0])
		require.Regexp(t, head, lines[1])
		for _, line := range lines[2:] {
			require.Regexp(t, detail, line)
		}
		for _, line := range lines {
			require.Equal(t, strings.TrimRight(line, " "), line)
		}
		require.Equal(t, text, ourColours.ReplaceAllString(export(t, stdout.NewColourConsole, records), ""))
	})
}

// Log records from elsewhere have not been made storable: neither those that claim to be activities, nor any others.
func TestHostileLogRecordsFromElsewhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string { return hostile().Draw(t, name) }
		var lr log.Record
		lr.SetTimestamp(noon)
		lr.SetEventName(text("event name"))
		lr.SetSeverityText(text("severity"))
		lr.SetBody(hostileValue().Draw(t, "body"))
		if rapid.Bool().Draw(t, "audit") {
			for _, key := range []string{otelaudit.KeyRecordID, otelaudit.KeyActorID, otelaudit.KeyActorType, otelaudit.KeyVerb, otelaudit.KeyOutcome, otelaudit.KeyErrorType} {
				lr.AddAttributes(attribute.String(key, text(key)))
			}
		}
		lr.AddAttributes(attribute.KeyValue{Key: attribute.Key("k" + text("key")), Value: hostileValue().Draw(t, "value")})
		records := emitted(context.Background(), []log.Record{lr})
		requireHarmless(t, export(t, stdout.NewConsole, records))
		requireHarmless(t, ourColours.ReplaceAllString(export(t, stdout.NewColourConsole, records), ""))
		line := export(t, stdout.New, records)
		requireHarmless(t, line)
		requireOneLineOfJSON(t, line)
	})
}

func requireOneLineOfJSON(t require.TestingT, line string) {
	require.Equal(t, 1, strings.Count(line, "\n"))
	require.Truef(t, json.Valid([]byte(line)), "%q", line)
}

func TestLinesOfHostileActivities(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := hostileActivity(t)
		records := recorded(t, a)
		line := export(t, stdout.New, records)
		requireHarmless(t, line)
		requireOneLineOfJSON(t, line)
		var got struct {
			EventName  string         `json:"event_name"`
			Attributes map[string]any `json:"attributes"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		require.Equal(t, records[0].EventName(), got.EventName)
		records[0].WalkAttributes(func(kv attribute.KeyValue) bool {
			if kv.Value.Type() == attribute.STRING {
				require.Equal(t, kv.Value.AsString(), got.Attributes[string(kv.Key)])
			}
			return true
		})
	})
}

// No text can look like another column, another line, or a colour.
func TestConsoleIsNotForged(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		`  "bob (admin)" "Bob\" (admin)" (user)  a                             success  "ok\"  error root↵12:04:05.123  root"`+"\n"+
			`                + "amount: 1 → 2": "x"`+"\n"+
			`                  with  "a=1  b"="2"`+"\n",
		console(t, otelaudit.Activity{
			Action:   "a",
			Actor:    otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bob (admin)", Name: `Bob" (admin)`, Roles: []string{"user"}},
			Reason:   "ok\"  error root\n12:04:05.123  root",
			Changes:  otelaudit.Changes{{Field: "amount: 1 → 2", New: attribute.StringValue("x")}},
			Metadata: []attribute.KeyValue{attribute.String("a=1  b", "2")},
		}))
}

// What passes for a space is shown, and a mark is not left to sit on what stands before a text.
func TestConsoleIsNotForgedByBlanks(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"bob\u3164\u3164invoice.approve\u3164\u3164success": `"bob\u3164\u3164invoice.approve\u3164\u3164success"`,
		"bob\uffa0":     `"bob\uffa0"`,
		"bob\u115f":     `"bob\u115f"`,
		"bob\u1160":     `"bob\u1160"`,
		"bob\u2800":     `"bob\u2800"`,
		"bob\u034f":     `"bob\u034f"`,
		"bob\ufe0f":     `"bob\ufe0f"`,
		"bob\U000e0100": `"bob\U000e0100"`,
		"\u0301bob":     "\"\u0301bob\"",
		"bo\u0301b":     "bo\u0301b",
	} {
		require.Contains(t, console(t, otelaudit.Activity{Action: "a", Actor: otelaudit.User(id)}), " "+want+" ")
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	var lr log.Record
	lr.SetObservedTimestamp(noon)
	lr.SetBody(attribute.StringValue("a\u202eb\u007f\u0085\u2028\U000e0041\ue000 \u00a0\u3000é\u200d"))
	records := emitted(context.Background(), []log.Record{lr})
	for _, open := range []func(io.Writer) *stdout.Exporter{stdout.New, stdout.NewConsole} {
		require.Equal(t,
			`{"observed_time":"2026-05-04T12:04:05.123456Z","body":"a\u202eb\u007f\u0085\u2028\udb40\udc41\ue000 `+"\u00a0\u3000é\u200d"+`","resource":{"service.name":"billing"}}`+"\n",
			export(t, open, records))
	}
	// What otelaudit leaves in a text, because a script needs it, the console shows.
	require.Contains(t, console(t, otelaudit.Activity{Action: "a", Reason: "a\u200fb\ufeff\U000e0041\u00ad\n"}), `"a\u200fb\ufeff\U000e0041\xad↵"`)
}

func FuzzConsole(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[2J\u202e\r\n", "\xff\xc3", "a b\"\\", strings.Repeat("山", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		records := recorded(t, otelaudit.Activity{
			Action: "a" + s, Actor: otelaudit.User("u" + s), Target: otelaudit.Target{Type: s, ID: s, Name: s}, Reason: s,
			Changes:  otelaudit.Changes{{Field: s, Old: attribute.StringValue(s), New: attribute.StringSliceValue([]string{s})}},
			Metadata: []attribute.KeyValue{attribute.String("m"+s, s)},
		})
		var both []sdklog.Record
		both = append(both, records...)
		both = append(both, emitted(context.Background(), []log.Record{{}})...)
		requireHarmless(t, export(t, stdout.NewConsole, both))
		requireHarmless(t, export(t, stdout.New, both))
	})
}
