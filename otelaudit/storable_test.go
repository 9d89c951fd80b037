package otelaudit

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"
)

// recordOf is the record of a, tracked at now.
func recordOf(tb testing.TB, a Activity) *Record {
	tb.Helper()
	rc, err := NewRecorder(Policy{Now: func() time.Time { return now }})
	require.NoError(tb, err)
	r := new(Record)
	if a.Action == "" {
		a.Action = "a.create"
	}
	_, err = rc.Record(tb.Context(), &a, r)
	require.NoError(tb, err)
	return r
}

func flagOf(field string, reason SanitizeReason, original string) Sanitization {
	return Sanitization{Field: field, Reason: reason, Length: len(original), SHA256: sha256.Sum256([]byte(original))}
}

func countOf(field string, n int) Sanitization {
	return Sanitization{Field: field, Reason: ReasonTooMany, Length: n}
}

// requireStorable holds r to what makeStorable promises.
func requireStorable(t require.TestingT, r *Record) {
	for _, text := range textsOf(r) {
		require.True(t, utf8.ValidString(text), "%q", text)
		require.NotContains(t, text, "\x00")
		require.Equal(t, text, strings.Map(printableOrBreak, text))
	}
	require.True(t, uniqueKeys(r.AppendAttributes(nil)), "each key once")
	require.LessOrEqual(t, bytesOf(r), MaxRecordBytes)
	require.LessOrEqual(t, r.Size(), MaxRecordBytes)
	require.LessOrEqual(t, len(r.Metadata), MaxMetadata)
	require.LessOrEqual(t, len(r.Changes), MaxChanges)
	require.LessOrEqual(t, len(r.Related), MaxRelated)
	require.LessOrEqual(t, len(r.Sanitized), MaxFlags)
	chain := -1
	for a := &r.Actor; a != nil; a = a.OnBehalfOf {
		chain++
		require.LessOrEqual(t, len(a.ID), MaxIDBytes)
		require.LessOrEqual(t, len(a.Tenant), MaxIDBytes)
		require.LessOrEqual(t, len(a.Roles), MaxRoles)
		require.True(t, a.Session == "" || isHashed(a.Session))
	}
	require.LessOrEqual(t, chain, MaxChain)
	for field, limit := range map[string][2]int{
		"action": {len(r.Action), MaxActionBytes}, "verb": {len(r.Verb), MaxActionBytes}, "target type": {len(r.Target.Type), MaxActionBytes},
		"target id": {len(r.Target.ID), MaxIDBytes}, "target name": {len(r.Target.Name), MaxNameBytes}, "tenant": {len(r.Tenant), MaxIDBytes},
		"operation": {len(r.Operation), MaxIDBytes}, "reason": {len(r.Reason), MaxReasonBytes}, "error type": {len(r.ErrorType), MaxNameBytes},
		"method": {len(r.Request.Method), MaxMethodBytes}, "client": {len(r.Request.ClientAddress), MaxMethodBytes},
		"path": {len(r.Request.Path), MaxPathBytes}, "agent": {len(r.Request.UserAgent), MaxUserAgentBytes}, "request": {len(r.Request.ID), MaxIDBytes},
	} {
		require.LessOrEqual(t, limit[0], limit[1], field)
	}
	r.values(func(_ string, v *attribute.Value) {
		require.LessOrEqual(t, depthOf(*v), MaxDepth)
		for _, text := range textsOfValue(*v) {
			require.LessOrEqual(t, len(text), MaxValueBytes)
		}
	})
	require.True(t, slices.IsSortedFunc(r.Metadata, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) }))
	require.True(t, slices.IsSortedFunc(r.Changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) }))
	require.NotEmpty(t, r.Verb)
	require.False(t, r.ID.IsZero())
}

// What is recorded comes back from the attributes of a log record, to the bit, and needs no more cleaning.
func TestRecordsComeBack(t *testing.T) {
	t.Parallel()
	rc, err := NewRecorder(Policy{Now: func() time.Time { return now }})
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		a, ctx := genActivity.Draw(t, "activity"), genContext.Draw(t, "context")
		if rapid.IntRange(0, 30).Draw(t, "huge") == 30 {
			a = inflate(a, rapid.SampledFrom([]string{"x", "\n", "é", "\x00"}).Draw(t, "filling"))
		}
		first := new(Record)
		kept, err := rc.Record(ctx, &a, first)
		require.NoError(t, err)
		require.True(t, kept)
		requireStorable(t, first)

		back, err := ParseRecord(logRecordOf(first), attribute.Set{})
		require.NoError(t, err)
		require.Equal(t, comparableForm(first), comparableForm(back))
		require.True(t, first.SameActivity(back))

		again := first.Clone()
		makeStorable(again)
		require.Equal(t, comparableForm(first), comparableForm(again), "cleaning twice changes nothing more")

		fixed := first.Fixed(a)
		second := new(Record)
		_, err = rc.Record(ContextWithReason(ContextWithTenant(t.Context(), "other"), "again"), &fixed, second)
		require.NoError(t, err)
		require.Equal(t, first.ID, second.ID)
		require.True(t, first.SameActivity(second), "tracked again it is the same activity")
	})
}

func TestTextIsMadeStorable(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", MaxReasonBytes)
	for name, tc := range map[string]struct {
		in, want string
		reason   SanitizeReason
	}{
		"plain":                   {"within the limit", "within the limit", ""},
		"empty":                   {"", "", ""},
		"line breaks and tabs":    {"a\n\tb\r\nc", "a\n\tb\r\nc", ""},
		"every script":            {"日本語 العربية עברית हिन्दी ไทย 👩‍👩‍👧 𝕏", "日本語 العربية עברית हिन्दी ไทย 👩‍👩‍👧 𝕏", ""},
		"marks of direction":      {"a\u200e\u200f\u061cb", "a\u200e\u200f\u061cb", ""},
		"a replacement character": {"a\ufffdb", "a\ufffdb", ""},
		"NUL":                     {"a\x00b", "a\ufffdb", ReasonControl},
		"DEL and C1":              {"\x7f\u0080\u009f\u00a0", "\ufffd\ufffd\ufffd\u00a0", ReasonControl},
		"bidi overrides":          {"\u202aa\u202ea\u2066a\u2069", "\ufffda\ufffda\ufffda\ufffd", ReasonControl},
		"not UTF-8":               {"a\xff\xfeb\xc3", "a\ufffdb\ufffd", ReasonEncoding},
		"surrogates":              {"\xed\xa0\x80", "\ufffd", ReasonEncoding},
		"both":                    {"\x00\xff", "\ufffd\ufffd", ReasonEncoding},
		"too long":                {long, strings.Repeat("é", MaxReasonBytes/2-2) + "…", ReasonTooLong},
		"as long as may be":       {long[:MaxReasonBytes], long[:MaxReasonBytes], ""},
		"too long once replaced":  {strings.Repeat("\x00", MaxReasonBytes), strings.Repeat("\ufffd", MaxReasonBytes/3-1) + "…", ReasonTooLong},
	} {
		r := recordOf(t, Activity{Reason: tc.in})
		require.Equal(t, tc.want, r.Reason, name)
		if tc.reason == "" {
			require.Empty(t, r.Sanitized, name)
		} else {
			require.Equal(t, []Sanitization{flagOf(KeyReason, tc.reason, tc.in)}, r.Sanitized, name)
		}
	}
}

func TestLinesHaveNoBreaks(t *testing.T) {
	t.Parallel()
	r := recordOf(t, Activity{Action: "a\n.b", Target: Target{Type: "t\t", Name: "n\r"}, Actor: Actor{Type: ActorUser, ID: "x", Roles: []string{"r\n"}, Name: "n\n", AuthMethod: "m\n"}})
	require.Equal(t, "a\ufffd.b", r.Action)
	require.Equal(t, "B", r.Verb)
	require.Equal(t, Target{Type: "t\ufffd", Name: "n\ufffd"}, r.Target)
	require.Equal(t, Actor{Type: ActorUser, ID: "x", Name: "n\ufffd", AuthMethod: "m\ufffd", Roles: []string{"r\ufffd"}}, r.Actor)
	require.Len(t, r.Sanitized, 6)
}

// Each of the reasons, where it arises.
func TestReasons(t *testing.T) {
	t.Parallel()
	deep := attribute.StringValue("core")
	for range MaxDepth + 1 {
		deep = attribute.SliceValue(deep)
	}
	inner := attribute.SliceValue(attribute.SliceValue(attribute.StringValue("core"))) // what lies at level MaxDepth
	kept := attribute.Value{}
	for range MaxDepth - 1 {
		kept = attribute.SliceValue(kept)
	}
	many := func(n int) (kvs []attribute.KeyValue, changes Changes, related []Target, roles []string) {
		for i := range n {
			key := fmt.Sprintf("k%03d", i)
			kvs, changes = append(kvs, attribute.Int(key, i)), append(changes, Change{Field: key, New: attribute.IntValue(i)})
			related, roles = append(related, Target{Type: "t", ID: key}), append(roles, key)
		}
		return kvs, changes, related, roles
	}
	kvs, changes, related, roles := many(MaxChanges + 1)
	chain := User("first")
	for range MaxChain + 3 {
		chain = chain.For(User("next"))
	}
	nan := attribute.Float64Value(math.NaN())
	mixed := attribute.Float64SliceValue([]float64{1, math.Inf(1), math.Copysign(0, -1), math.Inf(-1)})
	metadata := func(v attribute.Value) Activity {
		return Activity{Metadata: []attribute.KeyValue{{Key: "k", Value: v}}}
	}
	value := func(r *Record) any { return r.Metadata[0].Value }
	bytes := []byte(strings.Repeat("b", MaxValueBytes+1))

	for name, tc := range map[string]struct {
		a     Activity
		got   func(r *Record) any
		want  any
		flags []Sanitization
	}{
		"too_long, bytes": {
			metadata(attribute.ByteSliceValue(bytes)), value, attribute.ByteSliceValue(bytes[:MaxValueBytes]),
			[]Sanitization{flagOf("k", ReasonTooLong, string(bytes))},
		},
		"encoding, within": {
			metadata(attribute.MapValue(attribute.StringSlice("\xff", []string{"a", "\xff"}))), value,
			attribute.MapValue(attribute.StringSlice("\ufffd", []string{"a", "\ufffd"})),
			[]Sanitization{flagOf("k", ReasonEncoding, "\xff")},
		},
		"control, in a key": {
			Activity{Metadata: []attribute.KeyValue{attribute.Int("a\x00", 1)}},
			func(r *Record) any { return r.Metadata },
			[]attribute.KeyValue{attribute.Int("a\ufffd", 1)},
			[]Sanitization{flagOf("a\ufffd", ReasonControl, "a\x00")},
		},
		"control, in a field": {
			Activity{Changes: Changes{{Field: "a\n", New: attribute.StringValue("a\nb\x00")}}},
			func(r *Record) any { return r.Changes },
			Changes{{Field: "a\ufffd", New: attribute.StringValue("a\nb\ufffd")}},
			[]Sanitization{flagOf(KeyChanges, ReasonControl, "a\n"), flagOf(KeyChanges, ReasonControl, "a\nb\x00")},
		},
		"reserved, a key": {
			Activity{Metadata: []attribute.KeyValue{attribute.Int("audit.actor.id", 1)}},
			func(r *Record) any { return r.Metadata },
			[]attribute.KeyValue{attribute.Int("metadata.audit.actor.id", 1)},
			[]Sanitization{flagOf("audit.actor.id", ReasonReserved, "audit.actor.id")},
		},
		"reserved, an id": {
			Activity{Actor: User("anonymous")},
			func(r *Record) any { return r.Actor.ID },
			fmt.Sprintf("anonymous#%x", sha256.Sum256([]byte("anonymous"))),
			[]Sanitization{flagOf(KeyActorID, ReasonReserved, "anonymous")},
		},
		"reserved, nobody's id": {
			Activity{Actor: Actor{Type: ActorAnonymous, ID: "visitor-7"}},
			func(r *Record) any { return r.Actor },
			Anonymous(),
			[]Sanitization{flagOf(KeyActorID, ReasonReserved, "visitor-7")},
		},
		"duplicate, the last stands": {
			Activity{Metadata: []attribute.KeyValue{attribute.Int("k", 1), attribute.Int("j", 3), attribute.Int("k", 2)}},
			func(r *Record) any { return r.Metadata },
			[]attribute.KeyValue{attribute.Int("j", 3), attribute.Int("k", 2)},
			[]Sanitization{flagOf("k", ReasonDuplicate, "1")},
		},
		"duplicate, of a fact of the request": {
			Activity{Metadata: []attribute.KeyValue{attribute.String(KeyHTTPRoute, "/one"), attribute.String(KeyHTTPRoute, "/two")}},
			func(r *Record) any { return r.Request.Route },
			"/two",
			[]Sanitization{flagOf(KeyHTTPRoute, ReasonDuplicate, "/one")},
		},
		"duplicate, within": {
			metadata(attribute.MapValue(attribute.Int("a", 1), attribute.Int("a", 2))), value,
			attribute.MapValue(attribute.Int("a", 2)),
			[]Sanitization{flagOf("k", ReasonDuplicate, "1")},
		},
		"duplicate, of a field": {
			Activity{Changes: Changes{{Field: "f", New: attribute.IntValue(1)}, {Field: "f", New: attribute.IntValue(2)}}},
			func(r *Record) any { return r.Changes },
			Changes{{Field: "f", New: attribute.IntValue(2)}},
			[]Sanitization{flagOf(KeyChanges, ReasonDuplicate, "f")},
		},
		"non_finite":         {metadata(nan), value, attribute.StringValue("NaN"), []Sanitization{flagOf("k", ReasonNonFinite, "NaN")}},
		"non_finite, finite": {metadata(attribute.Float64Value(math.Copysign(0, -1))), value, attribute.Float64Value(math.Copysign(0, -1)), nil},
		"non_finite, in a list": {
			metadata(mixed), value,
			attribute.SliceValue(attribute.Float64Value(1), attribute.StringValue("Infinity"), attribute.Float64Value(math.Copysign(0, -1)), attribute.StringValue("-Infinity")),
			[]Sanitization{flagOf("k", ReasonNonFinite, "Infinity"), flagOf("k", ReasonNonFinite, "-Infinity")},
		},
		"too_deep": {metadata(deep), value, kept, []Sanitization{flagOf("k", ReasonTooDeep, inner.String())}},
		"too_many, metadata": {
			Activity{Metadata: kvs}, func(r *Record) any { return r.Metadata }, kvs[:MaxMetadata], []Sanitization{countOf("metadata", MaxChanges+1)},
		},
		"too_many, changes": {
			Activity{Changes: changes}, func(r *Record) any { return r.Changes }, changes[:MaxChanges], []Sanitization{countOf(KeyChanges, MaxChanges+1)},
		},
		"too_many, related": {
			Activity{Related: related}, func(r *Record) any { return r.Related }, related[:MaxRelated], []Sanitization{countOf(KeyRelated, MaxChanges+1)},
		},
		"too_many, roles": {
			Activity{Actor: Actor{Type: ActorUser, ID: "x", Roles: roles}},
			func(r *Record) any { return r.Actor.Roles },
			roles[:MaxRoles],
			[]Sanitization{countOf(KeyUserRoles, MaxChanges+1)},
		},
		"too_many, chain": {
			Activity{Actor: chain}, func(r *Record) any {
				n := 0
				for a := r.Actor.OnBehalfOf; a != nil; a = a.OnBehalfOf {
					n++
				}
				return n
			}, MaxChain, []Sanitization{countOf(KeyOnBehalfOfID, MaxChain+3)},
		},
		"wrong_type": {
			Activity{Metadata: []attribute.KeyValue{attribute.Int("http.route", 5)}},
			func(r *Record) any { return r.Request.Route },
			"5",
			[]Sanitization{flagOf("http.route", ReasonType, "5")},
		},
	} {
		r := recordOf(t, tc.a)
		require.Equal(t, tc.want, tc.got(r), name)
		require.Equal(t, tc.flags, r.Sanitized, name)
		requireStorable(t, r)
	}
}

// Typed lists count as levels like any other: what makes one of another kind (NaN) stays within the depth.
func TestDepthCountsEveryList(t *testing.T) {
	t.Parallel()
	for _, leaf := range []attribute.Value{
		attribute.Float64SliceValue([]float64{math.NaN()}), attribute.StringSliceValue([]string{"x"}),
		attribute.BoolSliceValue([]bool{true}), attribute.Int64SliceValue([]int64{1}), attribute.MapValue(), attribute.SliceValue(),
	} {
		v := leaf
		for range MaxDepth - 1 {
			v = attribute.MapValue(attribute.KeyValue{Key: "k", Value: v})
		}
		r := recordOf(t, Activity{Metadata: []attribute.KeyValue{{Key: "k", Value: v}}})
		require.Len(t, r.Sanitized, 1, leaf.Type())
		require.Equal(t, ReasonTooDeep, r.Sanitized[0].Reason)
		again := r.Clone()
		makeStorable(again)
		require.Equal(t, r, again)
	}
}

func TestIDsNeverCollide(t *testing.T) {
	t.Parallel()
	prefix := strings.Repeat("x", 2*MaxIDBytes)
	for _, pair := range [][2]string{
		{prefix + "1", prefix + "2"},
		{"a\x00", "a\x01"},
		{"a\xff", "a\xfe"},
		{"a\xff", "a\xff\xff"},
		{"a\x00", "a\ufffd"},
		{"\u202e", "\u202d"},
	} {
		ids := map[string]bool{}
		for _, id := range pair {
			r := recordOf(t, Activity{Actor: User(id).For(User(id)), Target: Target{Type: "t", ID: id}, Tenant: id})
			require.Equal(t, r.Target.ID, r.Actor.ID)
			require.Equal(t, r.Target.ID, r.Tenant)
			require.Equal(t, r.Target.ID, r.Actor.OnBehalfOf.ID)
			require.LessOrEqual(t, len(r.Target.ID), MaxIDBytes)
			ids[r.Target.ID] = true
		}
		require.Len(t, ids, 2, "%.20q", pair)
	}
	rapid.Check(t, func(rt *rapid.T) {
		one, other := genText.Draw(rt, "one"), genText.Draw(rt, "other")
		require.Equal(rt, one == other, recordOf(t, Activity{Tenant: one}).Tenant == recordOf(t, Activity{Tenant: other}).Tenant)
	})
}

func TestRecordsStayUnderTheirLimit(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return strings.Repeat("x", n) }
	var full Activity // everything at its limit
	full.Action, full.Reason, full.Tenant = text(MaxActionBytes), text(MaxReasonBytes), text(MaxIDBytes)
	target := Target{Type: text(MaxActionBytes), ID: text(MaxIDBytes), Name: text(MaxNameBytes)}
	full.Target = target
	for range MaxRelated {
		full.Related = append(full.Related, target)
	}
	actor := Actor{
		Type: ActorUser, ID: text(MaxIDBytes), Name: text(MaxNameBytes), Tenant: text(MaxIDBytes), AuthMethod: text(MaxNameBytes),
		Roles: slices.Repeat([]string{text(MaxNameBytes)}, MaxRoles),
	}
	full.Actor = actor
	for range MaxChain {
		full.Actor = full.Actor.For(actor)
	}
	for i := range MaxMetadata {
		full.Metadata = append(full.Metadata, attribute.String(fmt.Sprintf("%s%03d", text(MaxKeyBytes-3), i), text(MaxValueBytes)))
	}
	for i := range MaxChanges {
		v := attribute.StringValue(text(MaxValueBytes))
		full.Changes = append(full.Changes, Change{Field: fmt.Sprintf("%s%03d", text(MaxKeyBytes-3), i), Old: v, New: v})
	}
	r := recordOf(t, full)
	requireStorable(t, r)
	last := r.Sanitized[MaxFlags-1]
	require.Equal(t, KeySanitized, last.Field, "the last flag says that there are more")
	require.Equal(t, ReasonTooMany, last.Reason)
	require.Greater(t, last.Length, 2*MaxChanges)
	back, err := ParseRecord(logRecordOf(r), attribute.Set{})
	require.NoError(t, err)
	require.Equal(t, comparableForm(r), comparableForm(back))

	// The largest go first, and no more than must.
	small := attribute.String("small", text(100))
	large := attribute.StringSlice("large", slices.Repeat([]string{text(MaxValueBytes)}, 12))
	larger := attribute.StringSlice("larger", slices.Repeat([]string{text(MaxValueBytes)}, 13))
	r = recordOf(t, Activity{Metadata: []attribute.KeyValue{small, large, larger}})
	require.Equal(t, []attribute.KeyValue{large, {Key: "larger"}, small}, r.Metadata)
	require.Equal(t, []Sanitization{flagOf("larger", ReasonTooLarge, larger.Value.String())}, r.Sanitized)
}

// What a record loses for its size is found at once: to look at everything for each loss took minutes.
func TestHugeRecordsAreCheap(t *testing.T) { //nolint:paralleltest // it counts allocations
	texts := slices.Repeat([]string{"x"}, 3000)
	a := Activity{Action: "a.create"}
	for i := range MaxChanges {
		v := attribute.MapValue(attribute.StringSlice("k", texts))
		a.Changes = append(a.Changes, Change{Field: fmt.Sprint(i), Old: v, New: v})
	}
	var r *Record
	allocs := testing.AllocsPerRun(1, func() { r = recordOf(t, a) })
	requireStorable(t, r)
	require.Less(t, allocs, 50.0*2*MaxChanges)
}

func TestFlagsAreClean(t *testing.T) {
	t.Parallel()
	var a Activity
	for i := range 2 * MaxFlags {
		a.Metadata = append(a.Metadata, attribute.String(fmt.Sprint("audit.\x00", strings.Repeat("k", 300), i), "\x00"))
	}
	r := recordOf(t, a)
	require.Len(t, r.Sanitized, MaxFlags)
	requireStorable(t, r)

	// The same original in the same field is one flag.
	r = recordOf(t, Activity{Related: []Target{{ID: "\x00"}, {ID: "\x00"}, {ID: "\x01"}}})
	require.Len(t, r.Sanitized, 2)
}

func TestStorableResource(t *testing.T) {
	t.Parallel()
	clean := attribute.NewSet(attribute.String(KeyServiceName, "billing"), attribute.Int("n", 1))
	require.Equal(t, clean, StorableResource(clean))
	dirty := attribute.NewSet(attribute.String(KeyServiceName, "bil\x00ling"), attribute.Float64("f\xff", math.NaN()))
	want := attribute.NewSet(attribute.String(KeyServiceName, "bil\ufffdling"), attribute.String("f\ufffd", "NaN"))
	require.True(t, want.Equals(new(StorableResource(dirty))))
	require.Equal(t, 0, (&attribute.Set{}).Len())
	require.Equal(t, 0, new(StorableResource(attribute.Set{})).Len())
}

func TestPlainIsPrintableASCII(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		for at := range 17 {
			s := []byte("0123456789abcdefg")
			s[at] = byte(b)
			require.Equal(t, b >= 0x20 && b < 0x7f, isPlain(string(s)), "%#x at %d", b, at)
		}
	}
}
