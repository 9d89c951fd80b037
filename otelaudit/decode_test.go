package otelaudit

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
)

var _ LogRecord = (*sdklog.Record)(nil)

const foreignID = "0190a5f8-1c2d-7e3f-8a4b-5c6d7e8f9a0b"

// foreign is a log record of somebody else, as short as the draft allows, with more attributes.
func foreign(more ...attribute.KeyValue) *logRecord {
	return &logRecord{
		event: "user.login", time: now, observed: now.Add(time.Second),
		attributes: append([]attribute.KeyValue{
			attribute.String(KeyRecordID, foreignID),
			attribute.String(KeyActorID, "ana"),
			attribute.String(KeyActorType, "user"),
			attribute.String(KeyVerb, "LOGIN"),
			attribute.String(KeyOutcome, "success"),
		}, more...),
	}
}

func parsed(tb testing.TB, lr LogRecord) *Record {
	tb.Helper()
	r, err := ParseRecord(lr, attribute.Set{})
	require.NoError(tb, err)
	requireStorable(tb, r)
	again, err := ParseRecord(logRecordOf(r), attribute.Set{})
	require.NoError(tb, err)
	require.Equal(tb, comparableForm(r), comparableForm(again), "what was read can be read again")
	return r
}

func TestIsAudit(t *testing.T) {
	t.Parallel()
	require.True(t, IsAudit(foreign()))
	require.True(t, IsAudit(&logRecord{attributes: []attribute.KeyValue{attribute.Int("n", 1), attribute.Int(KeyVerb, 1)}}), "however wrong")
	require.False(t, IsAudit(&logRecord{}))
	require.False(t, IsAudit(&logRecord{event: "user.login", attributes: []attribute.KeyValue{attribute.String("http.route", "/")}}))
}

func TestParseForeignRecord(t *testing.T) {
	t.Parallel()
	resource := attribute.NewSet(attribute.String(KeyServiceName, "legacy\x00"))
	lr := foreign(attribute.String("app.channel", "web"), attribute.Int("app.try", 2))
	lr.traceID, lr.spanID, lr.flags = trace.TraceID{1}, trace.SpanID{2}, trace.FlagsSampled
	r, err := ParseRecord(lr, resource)
	require.NoError(t, err)
	id, err := ParseID(foreignID)
	require.NoError(t, err)
	require.Equal(t, &Record{
		ID: id, Time: now, Observed: now.Add(time.Second), Action: "user.login", Verb: "LOGIN", Actor: User("ana"), Outcome: Success,
		Metadata: []attribute.KeyValue{attribute.String("app.channel", "web"), attribute.Int("app.try", 2)},
		TraceID:  trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
		Resource:  attribute.NewSet(attribute.String(KeyServiceName, "legacy\ufffd")),
		Sanitized: []Sanitization{flagOf(KeyServiceName, ReasonControl, "legacy\x00")},
	}, r)
}

func TestParseNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := ParseRecord(&logRecord{}, attribute.Set{})
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "it lacks the event name, audit.record.id, audit.actor.id, audit.actor.type, audit.action, audit.outcome, the timestamp")

	for i, kv := range foreign().attributes {
		lr := foreign()
		lr.attributes[i].Value = attribute.IntValue(1) // of the wrong type is as good as none
		_, err := ParseRecord(lr, attribute.Set{})
		require.ErrorContains(t, err, "it lacks "+string(kv.Key))
	}
	lr := foreign()
	lr.event = ""
	_, err = ParseRecord(lr, attribute.Set{})
	require.ErrorContains(t, err, "it lacks the event name")
	lr.event = strings.Repeat("\x00", 1<<20)
	lr.attributes = nil
	_, err = ParseRecord(lr, attribute.Set{})
	require.Less(t, len(err.Error()), 1000)
}

func TestParseTimes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ time, observed, wantTime, wantObserved time.Time }{
		"no observed time":  {now, time.Time{}, now, now},
		"observed nonsense": {now, time.Unix(1<<60, 0), now, now},
		"nanoseconds":       {now.Add(1999), now.Add(2999).In(time.FixedZone("", 60)), now.Add(1000), now.Add(2000)},
	} {
		lr := foreign()
		lr.time, lr.observed = tc.time, tc.observed
		r := parsed(t, lr)
		require.Equal(t, tc.wantTime, r.Time, name)
		require.Equal(t, tc.wantObserved, r.Observed, name)
	}
	lr := foreign()
	lr.time = time.Time{}
	for _, id := range []string{"order-77/approve", "919108f7-52d1-4320-9bac-f847db4148a8"} {
		lr.attributes[0].Value = attribute.StringValue(id)
		_, err := ParseRecord(lr, attribute.Set{})
		require.ErrorIs(t, err, ErrInvalid, "the observed time would make each repetition another record")
		require.ErrorContains(t, err, "it lacks the timestamp, which")
	}
	lr.attributes[0].Value = attribute.StringValue("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
	r := parsed(t, lr)
	require.Equal(t, time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC), r.Time, "a UUIDv7 has one")
	require.Equal(t, now.Add(time.Second), r.Observed)

	for _, at := range []time.Time{time.Unix(-1, 0), time.Unix(0, -1), time.Unix(1<<60, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		lr := foreign()
		lr.time = at
		_, err := ParseRecord(lr, attribute.Set{})
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "before 1970 or after 9999")
	}
}

// What a foreign record says otherwise than otelaudit would is kept or flagged, never lost in silence.
func TestParseWhatIsOdd(t *testing.T) {
	t.Parallel()
	with := func(key, value string) *logRecord {
		lr := foreign()
		for i := range lr.attributes {
			if string(lr.attributes[i].Key) == key {
				lr.attributes[i].Value = attribute.StringValue(value)
				return lr
			}
		}
		lr.attributes = append(lr.attributes, attribute.String(key, value))
		return lr
	}
	body := foreign()
	body.body = attribute.StringValue("a line")
	kept := func(key string) func(*Record) any {
		return func(r *Record) any {
			for _, kv := range r.Metadata {
				if string(kv.Key) == key {
					return kv.Value.String()
				}
			}
			return nil
		}
	}
	hash := func(s string) Sanitization { return flagOf("", "", s) }
	flagged := func(field string, reason SanitizeReason, original string) []Sanitization {
		f := hash(original)
		f.Field, f.Reason = field, reason
		return []Sanitization{f}
	}
	for name, tc := range map[string]struct {
		lr    *logRecord
		got   func(*Record) any
		want  any
		flags []Sanitization
	}{
		"an id of its own": {
			with(KeyRecordID, "event-1"), func(r *Record) any { return r.ID.String() }, DeriveID(KeyRecordID, "event-1").String(),
			flagged(KeyRecordID, ReasonForeignID, "event-1"),
		},
		"an id of its own is kept": {
			with(KeyRecordID, "event-1"), kept("metadata.audit.record.id"), "event-1", flagged(KeyRecordID, ReasonForeignID, "event-1"),
		},
		"the nil id": {
			with(KeyRecordID, ID{}.String()), func(r *Record) any { return r.ID.IsZero() }, false, flagged(KeyRecordID, ReasonForeignID, ID{}.String()),
		},
		"an actor type": {
			with(KeyActorType, "robot"), func(r *Record) any { return r.Actor }, User("ana"), flagged(KeyActorType, ReasonRange, "robot"),
		},
		"anonymous": {
			with(KeyActorID, "anonymous"), func(r *Record) any { return r.Actor }, Anonymous(), nil,
		},
		"unknown": {
			with(KeyActorID, "unknown"), func(r *Record) any { return r.Actor }, Actor{Type: ActorUnknown}, nil,
		},
		"an anonymous somebody": {
			with(KeyActorType, "anonymous"), func(r *Record) any { return r.Actor }, Anonymous(), flagged(KeyActorID, ReasonReserved, "ana"),
		},
		"an outcome": {
			with(KeyOutcome, "OK"), func(r *Record) any { return r.Outcome }, OutcomeUnknown, flagged(KeyOutcome, ReasonRange, "OK"),
		},
		"the outcome denied": {
			with(KeyOutcome, "denied"), func(r *Record) any { return r.Outcome }, OutcomeUnknown, flagged(KeyOutcome, ReasonRange, "denied"),
		},
		"a detail that does not fit": {
			with(KeyDetailedOutcome, "denied"), func(r *Record) any { return r.Outcome }, Success, flagged(KeyDetailedOutcome, ReasonRange, "denied"),
		},
		"a raw session": {
			with(KeySessionID, "abc"), func(r *Record) any { return r.Actor.Session },
			"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", nil,
		},
		"a source": {
			with(KeySourceID, "192.0.2.1"), func(r *Record) any { return r.Request.ClientAddress }, "192.0.2.1", nil,
		},
		"a kind of source": {with(KeySourceType, "sensor"), kept("metadata.audit.source.type"), "sensor", nil},
		"another uid":      {with(KeyLogRecordUID, "x"), kept("metadata.log.record.uid"), "x", nil},
		"another schema":   {with(KeySchemaVersion, "7"), kept("metadata.audit.schema.version"), "7", nil},
		"the same uid":     {with(KeyLogRecordUID, foreignID), func(r *Record) any { return len(r.Metadata) }, 0, nil},
		"a body":           {body, kept("metadata.body"), "a line", nil},
		"integrity of its own": {
			with("audit.integrity.value", "x"), kept("metadata.audit.integrity.value"), "x",
			flagged("audit.integrity.value", ReasonReserved, "audit.integrity.value"),
		},
		"an unknown trust": {with(KeyActorTrust, "total"), func(r *Record) any { return r.Actor.Trust }, TrustDeclared, nil},
		"a type": {
			foreign(attribute.Int(KeyReason, 5)), kept("metadata.otelaudit.reason"), "5", flagged(KeyReason, ReasonReserved, KeyReason),
		},
		"a change that is none": {
			foreign(attribute.Map(KeyChanges, attribute.Int("f", 5))), func(r *Record) any { return r.Changes },
			Changes{{Field: "f"}},
			flagged(KeyChanges, ReasonType, "5"),
		},
		"a related target that is none": {
			foreign(attribute.Slice(KeyRelated, attribute.StringValue("x"))), func(r *Record) any { return len(r.Related) }, 1,
			flagged(KeyRelated, ReasonType, "x"),
		},
		"lists of strings that are not typed": {
			foreign(
				attribute.Slice(KeyUserRoles, attribute.StringValue("a"), attribute.StringValue("b")),
				attribute.Slice(KeyOnBehalfOfType, attribute.StringValue("user")),
				attribute.Slice(KeyOnBehalfOfID, attribute.StringValue("bo"))),
			func(r *Record) any { return r.Actor },
			Actor{Type: ActorUser, ID: "ana", Roles: []string{"a", "b"}, OnBehalfOf: new(User("bo"))},
			nil,
		},
		"a list of something else": {
			foreign(attribute.Slice(KeyUserRoles, attribute.IntValue(1))), kept("metadata.user.roles"), "[1]",
			flagged(KeyUserRoles, ReasonReserved, KeyUserRoles),
		},
		"a chain of uneven length": {
			foreign(attribute.StringSlice(KeyOnBehalfOfType, []string{"user", "user"}), attribute.StringSlice(KeyOnBehalfOfID, []string{"bo"})),
			func(r *Record) any { return *r.Actor.OnBehalfOf }, User("bo"),
			[]Sanitization{{Field: KeyOnBehalfOfID, Reason: ReasonRange, Length: 2}},
		},
		"a chain with an odd type": {
			foreign(attribute.StringSlice(KeyOnBehalfOfType, []string{"x"}), attribute.StringSlice(KeyOnBehalfOfID, []string{"bo"})),
			func(r *Record) any { return *r.Actor.OnBehalfOf }, User("bo"), flagged(KeyOnBehalfOfType, ReasonRange, "x"),
		},
	} {
		r := parsed(t, tc.lr)
		require.Equal(t, tc.want, tc.got(r), name)
		require.Equal(t, tc.flags, r.Sanitized, name)
	}

	// The client's address stands where source and client differ, and the source is kept.
	r := parsed(t, foreign(attribute.String(KeySourceID, "gate-7"), attribute.String(KeySourceType, "sensor"), attribute.String(KeyClientAddress, "192.0.2.1")))
	require.Equal(t, "192.0.2.1", r.Request.ClientAddress)
	require.Equal(t, []attribute.KeyValue{
		attribute.String("metadata.audit.source.id", "gate-7"), attribute.String("metadata.audit.source.type", "sensor"),
	}, r.Metadata)
}

func TestParseFlagsOfOthers(t *testing.T) {
	t.Parallel()
	flag := attribute.MapValue(
		attribute.String("field", "f\x00"), attribute.String("reason", strings.Repeat("r", 300)), attribute.Int("length", -1),
		attribute.String("sha256", "zz"))
	flags := make([]attribute.Value, MaxFlags+9)
	for i := range flags {
		flags[i] = flag
	}
	r := parsed(t, foreign(attribute.Slice(KeySanitized, flags...)))
	require.Len(t, r.Sanitized, MaxFlags)
	require.Equal(t, Sanitization{Field: "f\ufffd", Reason: SanitizeReason(strings.Repeat("r", maxReasonName-3) + "…"), Length: -1}, r.Sanitized[0])
	require.Equal(t, Sanitization{Field: KeySanitized, Reason: ReasonTooMany, Length: MaxFlags + 9}, r.Sanitized[MaxFlags-1])

	whole := Sanitization{Field: "f", Reason: ReasonControl, Length: 3, SHA256: sha256.Sum256([]byte("abc"))}
	r = parsed(t, foreign(attribute.Slice(KeySanitized, encodeSanitization(&whole))))
	require.Equal(t, []Sanitization{whole}, r.Sanitized)
}

// emitted is a processor that parses what the SDK hands it.
type emitted struct {
	record *Record
	err    error
}

func (*emitted) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*emitted) Shutdown(context.Context) error                         { return nil }
func (*emitted) ForceFlush(context.Context) error                       { return nil }

func (e *emitted) OnEmit(_ context.Context, lr *sdklog.Record) error {
	e.record, e.err = ParseRecord(lr, attribute.Set{})
	return nil
}

// A record goes through the OTel SDK and comes back.
func TestRecordThroughTheSDK(t *testing.T) {
	t.Parallel()
	e := &emitted{}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(e))
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	ctx = ContextWithRequest(ctx, Request{Method: "GET", Path: "/x", ClientAddress: "::1"})
	rc, err := NewRecorder(Policy{})
	require.NoError(t, err)
	var want Record
	_, err = rc.Record(ctx, &Activity{
		Action: "a.update", Actor: Actor{Type: ActorUser, ID: "ana", Roles: []string{"r"}}.For(Actor{Type: ActorService, ID: "s", Name: "S"}),
		Changes:  Changes{{Field: "f", Old: attribute.BoolSliceValue(nil), New: attribute.MapValue(attribute.ByteSlice("b", []byte{0, 1}))}, {Field: "none"}},
		Metadata: []attribute.KeyValue{attribute.Float64("one", 1), attribute.Int("uno", 1), {Key: "empty"}, attribute.Slice("list")},
		Related:  []Target{{Type: "t", ID: "\x00"}}, Err: ErrDenied, Reason: "why",
	}, &want)
	require.NoError(t, err)

	var lr log.Record
	lr.SetEventName(want.Action)
	lr.SetTimestamp(want.Time)
	lr.SetObservedTimestamp(want.Observed)
	lr.AddAttributes(want.AppendAttributes(nil)...)
	provider.Logger("").Emit(ctx, lr)
	require.NoError(t, e.err)
	require.Equal(t, comparableForm(&want), comparableForm(e.record))
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	rc, err := NewRecorder(Policy{Now: func() time.Time { return now }, Ignore: []string{"health.*"}, RequireActor: true})
	require.NoError(t, err)
	verified := foreign(
		attribute.String(KeyActorTrust, "verified"),
		attribute.StringSlice(KeyOnBehalfOfType, []string{"user"}), attribute.StringSlice(KeyOnBehalfOfID, []string{"bo"}),
		attribute.Slice(KeyOnBehalfOfMore, attribute.MapValue(attribute.String("trust", "propagated"))))
	r := parsed(t, verified)
	require.Equal(t, TrustVerified, r.Actor.Trust)
	kept, err := rc.Adopt(r)
	require.NoError(t, err)
	require.True(t, kept)
	require.Equal(t, TrustDeclared, r.Actor.Trust, "a log record can claim anything")
	require.Equal(t, TrustDeclared, r.Actor.OnBehalfOf.Trust)

	ignored := foreign()
	ignored.event = "health.check"
	kept, err = rc.Adopt(parsed(t, ignored))
	require.NoError(t, err)
	require.False(t, kept)

	ahead := foreign()
	ahead.time = now.Add(time.Hour)
	kept, err = rc.Adopt(parsed(t, ahead))
	require.NoError(t, err)
	require.True(t, kept)
	ahead.time = now.Add(25 * time.Hour)
	_, err = rc.Adopt(parsed(t, ahead))
	require.ErrorIs(t, err, ErrInvalid)

	unknown := foreign()
	unknown.attributes[1].Value = attribute.StringValue("unknown")
	_, err = rc.Adopt(parsed(t, unknown))
	require.ErrorIs(t, err, ErrInvalid)
	require.Equal(t, RecorderStats{Ignored: 1, AheadOfClock: 1}, rc.Stats())
}
