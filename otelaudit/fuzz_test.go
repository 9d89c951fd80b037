package otelaudit

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
)

// The corpora are in testdata/fuzz; each file is named for what it tries.

func FuzzClean(f *testing.F) {
	f.Add("within the limit", uint16(MaxReasonBytes), true)
	f.Fuzz(func(t *testing.T, s string, limit uint16, multiline bool) {
		limit = max(limit, maxReasonName)
		got, reason := clean(s, int(limit), multiline)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, len(got), int(limit))
		require.Equal(t, reason == "", got == s)
		require.NotContains(t, got, "\x00")
		if !multiline {
			require.NotContains(t, got, "\n")
		}
		again, reason := clean(got, int(limit), multiline)
		require.Equal(t, got, again)
		require.Empty(t, reason)

		id := s
		c := cleaner{&Record{}}
		c.id("id", &id)
		require.LessOrEqual(t, len(id), MaxIDBytes)
		require.True(t, utf8.ValidString(id))
	})
}

// FuzzMakeStorable puts a text into every place of an activity, often and deep.
func FuzzMakeStorable(f *testing.F) {
	f.Add("ana", "role", uint8(1), uint16(1), 1.5)
	rc, err := NewRecorder(Policy{Now: func() time.Time { return now }})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text, other string, depth uint8, times uint16, number float64) {
		long := text
		if len(text) < 64 {
			long = strings.Repeat(text, int(times%2048)+1)
		}
		value := attribute.SliceValue(attribute.StringValue(text), attribute.Float64Value(number))
		for i := range depth % 16 {
			if i%2 == 0 {
				value = attribute.MapValue(attribute.KeyValue{Key: attribute.Key(other), Value: value}, attribute.String(text, long))
			} else {
				value = attribute.SliceValue(value, attribute.Float64SliceValue([]float64{number, math.NaN()}))
			}
		}
		target := Target{Type: text, ID: long, Name: other}
		actor := Actor{
			Type: ActorUser, ID: text + other + "x", Name: long, Roles: []string{other, long}, Tenant: text, Session: other, AuthMethod: text,
		}
		a := Activity{
			Action: "x" + text + "." + other, Actor: actor.For(actor), Target: target, Related: []Target{target, {ID: other}}, Reason: long, Tenant: long,
			Changes:  Changes{{Field: text, Old: value, New: attribute.StringValue(long)}, {Field: other, New: value}, {Field: long}},
			Metadata: []attribute.KeyValue{{Key: attribute.Key(text), Value: value}, attribute.String(other, long), attribute.Float64(long, number)},
		}
		ctx := ContextWithOperation(ContextWithRequest(t.Context(), Request{
			Method: text, Route: other, Path: long, RPCMethod: text, ClientAddress: other, PeerAddress: long, UserAgent: text, ID: long,
		}), other)
		first := new(Record)
		_, err := rc.Record(ctx, &a, first)
		require.NoError(t, err)
		requireComesBack(t, first)

		fixed, second := first.Fixed(a), new(Record)
		_, err = rc.Record(t.Context(), &fixed, second)
		require.NoError(t, err)
		require.True(t, first.SameActivity(second))
	})
}

func requireComesBack(tb testing.TB, r *Record) {
	tb.Helper()
	requireStorable(tb, r)
	back, err := ParseRecord(logRecordOf(r), r.Resource)
	require.NoError(tb, err)
	require.Equal(tb, comparableForm(r), comparableForm(back))
}

// FuzzParseRecord reads log records of others. Their attributes are lines KEY=VALUE, a value is written as attributeOf reads
// it.
func FuzzParseRecord(f *testing.F) {
	f.Add("user.login", now.UnixMicro(), now.UnixMicro(), "", minimal)
	f.Fuzz(func(t *testing.T, event string, at, observed int64, body, lines string) {
		lr := &logRecord{event: event, time: time.UnixMicro(at), observed: time.UnixMicro(observed)}
		if body != "" {
			lr.body = attributeOf(body, 0)
		}
		for line := range strings.Lines(lines) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			lr.attributes = append(lr.attributes, attribute.KeyValue{Key: attribute.Key(key), Value: attributeOf(value, 0)})
		}
		IsAudit(lr)
		r, err := ParseRecord(lr, attribute.NewSet(lr.attributes...))
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		requireComesBack(t, r)
	})
}

const minimal = "audit.record.id=s" + foreignID + "\naudit.actor.id=sana\naudit.actor.type=suser\naudit.action=sLOGIN\naudit.outcome=ssuccess\n"

// attributeOf reads a value: a letter for its type and its text. Lists are separated by commas, L and M hold one more value.
func attributeOf(s string, depth int) attribute.Value {
	if s == "" || depth > 100 {
		return attribute.Value{}
	}
	kind, s := s[0], s[1:]
	parts := strings.Split(s, ",")
	switch kind {
	case 's':
		return attribute.StringValue(s)
	case 'i':
		n, _ := strconv.ParseInt(s, 10, 64)
		return attribute.Int64Value(n)
	case 'f':
		x, _ := strconv.ParseFloat(s, 64)
		return attribute.Float64Value(x)
	case 't':
		return attribute.BoolValue(s == "true")
	case 'b':
		return attribute.ByteSliceValue([]byte(s))
	case 'S':
		return attribute.StringSliceValue(parts)
	case 'F':
		xs := make([]float64, len(parts))
		for i := range parts {
			xs[i], _ = strconv.ParseFloat(parts[i], 64)
		}
		return attribute.Float64SliceValue(xs)
	case 'L':
		return attribute.SliceValue(attributeOf(s, depth+1), attributeOf(s, depth+1+50))
	case 'M':
		key, value, _ := strings.Cut(s, ":")
		return attribute.MapValue(attribute.KeyValue{Key: attribute.Key(key), Value: attributeOf(value, depth+1)})
	case '{': // several entries
		var kvs []attribute.KeyValue
		for _, part := range parts {
			key, value, _ := strings.Cut(part, ":")
			kvs = append(kvs, attribute.KeyValue{Key: attribute.Key(key), Value: attributeOf(value, depth+1)})
		}
		return attribute.MapValue(kvs...)
	}
	return attribute.Value{}
}
