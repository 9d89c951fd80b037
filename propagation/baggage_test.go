package propagation

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHeaderCutsOurs(t *testing.T) {
	t.Parallel()
	type want struct {
		rest    []string
		found   int
		exact   bool
		value   string
		members int
	}
	for name, tc := range map[string]struct {
		lines []string
		want  want
	}{
		"nothing":              {nil, want{}},
		"empty line":           {[]string{""}, want{rest: []string{""}}},
		"none of ours":         {[]string{"a=1, b=2;p=q ,,c"}, want{rest: []string{"a=1, b=2;p=q ,,c"}, members: 3}},
		"alone":                {[]string{"otelaudit.actor=T"}, want{nil, 1, true, "T", 1}},
		"first":                {[]string{"otelaudit.actor=T,a=1"}, want{[]string{"a=1"}, 1, true, "T", 2}},
		"last":                 {[]string{"a=1,otelaudit.actor=T"}, want{[]string{"a=1"}, 1, true, "T", 2}},
		"between":              {[]string{"a=1 , otelaudit.actor=T\t, b=2"}, want{[]string{"a=1 , b=2"}, 1, true, "T", 3}},
		"line of its own":      {[]string{"a=1", "otelaudit.actor=T", "b=2"}, want{[]string{"a=1", "b=2"}, 1, true, "T", 3}},
		"white space":          {[]string{" \totelaudit.actor\t = T "}, want{nil, 1, true, "T", 1}},
		"empty value":          {[]string{"otelaudit.actor="}, want{nil, 1, true, "", 1}},
		"equals in the value":  {[]string{"otelaudit.actor=a=b"}, want{nil, 1, true, "a=b", 1}},
		"property":             {[]string{"otelaudit.actor=T;p=1"}, want{nil, 1, false, "T;p=1", 1}},
		"empty property":       {[]string{"otelaudit.actor=T;"}, want{nil, 1, false, "T;", 1}},
		"no value":             {[]string{"otelaudit.actor,a=1"}, want{[]string{"a=1"}, 1, false, "", 2}},
		"property, no value":   {[]string{"otelaudit.actor;p=1"}, want{nil, 1, false, "1", 1}},
		"upper case":           {[]string{"OTELAUDIT.ACTOR=T"}, want{nil, 1, false, "T", 1}},
		"a letter of it":       {[]string{"otelaudit.Actor=T"}, want{nil, 1, false, "T", 1}},
		"percent-encoded":      {[]string{"%6ftelaudit.actor=T"}, want{nil, 1, false, "T", 1}},
		"all percent-encoded":  {[]string{"%6F%74%65%6C%61%75%64%69%74%2E%61%63%74%6F%72=T"}, want{nil, 1, false, "T", 1}},
		"encoded, upper case":  {[]string{"%4FTELAUDIT%2eACTOR=T"}, want{nil, 1, false, "T", 1}},
		"other white space":    {[]string{"\u00a0otelaudit.actor\u2003=T"}, want{nil, 1, false, "T", 1}},
		"vertical tab":         {[]string{"\votelaudit.actor=T"}, want{nil, 1, false, "T", 1}},
		"twice in a line":      {[]string{"otelaudit.actor=T,otelaudit.actor=U"}, want{nil, 2, true, "U", 2}},
		"twice, in two lines":  {[]string{"otelaudit.actor=T,a=1", "b=2,OTELAUDIT.actor=U"}, want{[]string{"a=1", "b=2"}, 2, false, "U", 4}},
		"a prefix":             {[]string{"otelaudit.acto=T"}, want{[]string{"otelaudit.acto=T"}, 0, false, "", 1}},
		"longer":               {[]string{"otelaudit.actors=T"}, want{[]string{"otelaudit.actors=T"}, 0, false, "", 1}},
		"longer, encoded":      {[]string{"otelaudit.actor%73=T"}, want{[]string{"otelaudit.actor%73=T"}, 0, false, "", 1}},
		"half an encoding":     {[]string{"otelaudit.actor%6=T"}, want{[]string{"otelaudit.actor%6=T"}, 0, false, "", 1}},
		"in a value":           {[]string{"a=otelaudit.actor=T"}, want{[]string{"a=otelaudit.actor=T"}, 0, false, "", 1}},
		"in a property":        {[]string{"a=1;otelaudit.actor=T"}, want{[]string{"a=1;otelaudit.actor=T"}, 0, false, "", 1}},
		"quotes are no quotes": {[]string{`a="x,otelaudit.actor=T"`}, want{[]string{`a="x`}, 1, true, `T"`, 2}},
		"a look-alike":         {[]string{"οtelaudit.actor=T"}, want{[]string{"οtelaudit.actor=T"}, 0, false, "", 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h header
			before := slices.Clone(tc.lines)
			h.parse(tc.lines)
			if len(h.rest) == 0 {
				h.rest = nil
			}
			require.Equal(t, tc.want, want{h.rest, h.found, h.exact, h.value, h.members})
			require.Equal(t, len(strings.Join(tc.lines, ",")), h.size)
			require.Equal(t, before, tc.lines, "the lines stay")
		})
	}
}

// What is left is the list without our members: nothing else is touched.
func TestHeaderLeavesOthersAsTheyAre(t *testing.T) {
	t.Parallel()
	member := rapid.SampledFrom([]string{
		"otelaudit.actor=T", " otelaudit.actor =T", "Otelaudit.actor=T", "%6Ftelaudit.actor", // ours
		"", " ", "a=1", "b = 2 ;p", "%41=%2C", "=", ";", "otelaudit.actors=1",
	})
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOfN(rapid.SliceOfN(member, 1, 6), 0, 4).Draw(t, "lists")
		var lines, want []string
		found := 0
		for _, list := range lists {
			lines = append(lines, strings.Join(list, ","))
			others := slices.DeleteFunc(slices.Clone(list), func(m string) bool {
				key, _, _ := strings.Cut(m, "=")
				return isOurKey(strings.TrimSpace(key))
			})
			found += len(list) - len(others)
			if line := strings.Join(others, ","); line != "" || len(others) == len(list) {
				want = append(want, line)
			}
		}
		var h header
		h.parse(lines)
		require.Equal(t, found, h.found)
		if len(want) == 0 {
			require.Empty(t, h.rest)
		} else {
			require.Equal(t, want, h.rest)
		}
	})
}

func TestStripBaggage(t *testing.T) {
	t.Parallel()
	in := []string{"a=1,otelaudit.actor=T", "OTELAUDIT.actor=T", "b=2"}
	require.Equal(t, []string{"a=1", "b=2"}, StripBaggage(in))
	require.Equal(t, []string{"a=1,otelaudit.actor=T", "OTELAUDIT.actor=T", "b=2"}, in)
	others := []string{"a=1", "", "b=2"}
	require.Equal(t, others, StripBaggage(others))
	require.Nil(t, StripBaggage(nil))
}

// A header without our member costs no memory, whatever it holds, and one with it no more than the lines of the rest.
func TestHeaderAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	for name, lines := range map[string][]string{
		"ours alone":     {"otelaudit.actor=T"},
		"others":         {"a=1,b=2"},
		"ten thousand":   {strings.Repeat("a=1,", 10_000)},
		"percent signs":  {strings.Repeat("%6ftelaudit%2eacto=1,", 1000)},
		"only delimiter": {strings.Repeat(",", 100_000)},
	} {
		require.LessOrEqual(t, testing.AllocsPerRun(10, func() {
			var h header
			h.parse(lines)
		}), 1.0, name)
	}
}

// BenchmarkHostileHeader is a header of a megabyte: what a byte of it costs does not grow.
func BenchmarkHostileHeader(b *testing.B) {
	const size = 1 << 20
	for name, member := range map[string]string{
		"others":    "a=1,",
		"ours":      "otelaudit.actor=T,",
		"alternate": "a=1,otelaudit.actor=T,",
		"encoded":   "%6ftelaudit%2eactor,",
		"commas":    ",",
		"one":       "a",
	} {
		b.Run(name, func(b *testing.B) {
			lines := []string{strings.Repeat(member, size/len(member))}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				var h header
				h.parse(lines)
			}
		})
	}
}
