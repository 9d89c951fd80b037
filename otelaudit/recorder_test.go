package otelaudit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// record is the record of a in ctx under p.
func record(tb testing.TB, p otelaudit.Policy, ctx context.Context, a otelaudit.Activity) *otelaudit.Record { //nolint:revive // a helper's first argument is tb
	tb.Helper()
	rc, err := otelaudit.NewRecorder(p)
	require.NoError(tb, err)
	r := new(otelaudit.Record)
	kept, err := rc.Record(ctx, &a, r)
	require.NoError(tb, err)
	require.True(tb, kept)
	require.NoError(tb, rc.Check(ctx, &a))
	return r
}

// refused is the error for a in ctx under p.
func refused(tb testing.TB, p otelaudit.Policy, ctx context.Context, a otelaudit.Activity) error { //nolint:revive // a helper's first argument is tb
	tb.Helper()
	rc, err := otelaudit.NewRecorder(p)
	require.NoError(tb, err)
	_, err = rc.Record(ctx, &a, new(otelaudit.Record))
	require.ErrorIs(tb, err, otelaudit.ErrInvalid)
	checked := rc.Check(ctx, &a)
	require.Error(tb, checked, "Check and Record agree")
	require.Equal(tb, err.Error(), checked.Error())
	return err
}

func fixedClock() time.Time { return noon }

func TestRecordComplete(t *testing.T) {
	t.Parallel()
	ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.Actor{
		Type: otelaudit.ActorUser, ID: "u1", Name: "Ana", Roles: []string{"admin"}, Tenant: "home", Session: "cookie",
		AuthMethod: "oidc", Trust: otelaudit.TrustVerified,
	}.For(otelaudit.User("u2")))
	ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{
		Method: "POST", Route: "/invoices/{id}", Path: "/invoices/42", ClientAddress: "192.0.2.7", PeerAddress: "10.0.0.1",
		UserAgent: "curl/8", ID: "req-1",
	})
	ctx = otelaudit.ContextWithTenant(ctx, "acme")
	ctx = otelaudit.ContextWithOperation(ctx, "import-7")
	r := record(t, otelaudit.Policy{Now: fixedClock}, ctx, otelaudit.Activity{
		Action:   "invoice.approve",
		Target:   otelaudit.Target{Type: "invoice", ID: "42", Name: "March"},
		Related:  []otelaudit.Target{{Type: "order", ID: "7"}},
		Reason:   "within the limit\nof the approver",
		Changes:  otelaudit.Changes{{Field: "state", Old: attribute.StringValue("open"), New: attribute.StringValue("approved")}},
		Metadata: []attribute.KeyValue{attribute.Int("n", 1)},
	})
	require.Equal(t, noon, r.Time)
	require.Equal(t, noon, r.Observed)
	require.Equal(t, "APPROVE", r.Verb)
	require.Empty(t, r.Sanitized)
	require.Nil(t, r.Request.RouteFunc)

	id := r.ID.String()
	const session = "sha256:d46dbeb69f2e9ff84af9060ae7b2a9e7e2b29a46dd2b4a1d9bd7cee7bc5ae0d5"
	got := map[string]string{}
	for _, kv := range r.AppendAttributes(nil) {
		require.NotContains(t, got, string(kv.Key), "each key once")
		got[string(kv.Key)] = kv.Value.String()
	}
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", got["session.id"])
	got["session.id"] = session
	require.Equal(t, map[string]string{
		"audit.record.id":                   id,
		"log.record.uid":                    id,
		"audit.schema.version":              "1",
		"audit.actor.type":                  "user",
		"audit.actor.id":                    "u1",
		"user.name":                         "Ana",
		"user.roles":                        `["admin"]`,
		"session.id":                        session,
		"otelaudit.actor.tenant.id":         "home",
		"otelaudit.actor.auth_method":       "oidc",
		"otelaudit.actor.trust":             "verified",
		"otelaudit.actor.on_behalf_of.type": `["user"]`,
		"otelaudit.actor.on_behalf_of.id":   `["u2"]`,
		"audit.action":                      "APPROVE",
		"audit.outcome":                     "success",
		"otelaudit.reason":                  "within the limit\nof the approver",
		"audit.target.type":                 "invoice",
		"audit.target.id":                   "42",
		"otelaudit.target.name":             "March",
		"otelaudit.related":                 `[{"id":"7","type":"order"}]`,
		"otelaudit.changes":                 `{"state":{"new":"approved","old":"open"}}`,
		"otelaudit.tenant.id":               "acme",
		"otelaudit.operation.id":            "import-7",
		"audit.source.id":                   "192.0.2.7",
		"audit.source.type":                 "ipv4",
		"client.address":                    "192.0.2.7",
		"network.peer.address":              "10.0.0.1",
		"http.request.method":               "POST",
		"http.route":                        "/invoices/{id}",
		"url.path":                          "/invoices/42",
		"user_agent.original":               "curl/8",
		"otelaudit.request.id":              "req-1",
		"n":                                 "1",
	}, got)
}

func TestRecordActor(t *testing.T) {
	t.Parallel()
	ana := otelaudit.ContextWithActor(t.Context(), otelaudit.User("ana"))
	for name, tc := range map[string]struct {
		ctx     context.Context //nolint:containedctx // a case of a table
		actor   otelaudit.Actor
		want    otelaudit.Actor
		unknown uint64
	}{
		"from the context":         {ctx: ana, want: otelaudit.User("ana")},
		"the activity's own":       {ctx: ana, actor: otelaudit.System("cron"), want: otelaudit.System("cron")},
		"anonymous":                {ctx: ana, actor: otelaudit.Anonymous(), want: otelaudit.Anonymous()},
		"nobody":                   {ctx: t.Context(), want: otelaudit.Actor{Type: otelaudit.ActorUnknown}, unknown: 1},
		"a zero one in context":    {ctx: otelaudit.ContextWithActor(t.Context(), otelaudit.Actor{}), want: otelaudit.Actor{Type: otelaudit.ActorUnknown}, unknown: 1},
		"said to be unknown":       {ctx: ana, actor: otelaudit.Actor{Type: otelaudit.ActorUnknown}, want: otelaudit.Actor{Type: otelaudit.ActorUnknown}, unknown: 1},
		"a service called unknown": {ctx: ana, actor: otelaudit.Service("unknown"), want: otelaudit.Service("unknown")},
	} {
		rc, err := otelaudit.NewRecorder(otelaudit.Policy{})
		require.NoError(t, err)
		var r otelaudit.Record
		_, err = rc.Record(tc.ctx, &otelaudit.Activity{Action: "a.create", Actor: tc.actor}, &r)
		require.NoError(t, err)
		require.Equal(t, tc.want, r.Actor, name)
		require.Equal(t, otelaudit.RecorderStats{UnknownActors: tc.unknown}, rc.Stats(), name)
	}
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	circle := &otelaudit.Actor{Type: otelaudit.ActorUser, ID: "x"}
	circle.OnBehalfOf = circle
	for name, tc := range map[string]struct {
		a    otelaudit.Activity
		says string
	}{
		"no action":         {otelaudit.Activity{}, "Action is empty"},
		"outcome":           {otelaudit.Activity{Action: "a", Outcome: "good"}, `Outcome "good"`},
		"wait":              {otelaudit.Activity{Action: "a", Wait: 2}, "Wait 2"},
		"actor type":        {otelaudit.Activity{Action: "a", Actor: otelaudit.Actor{Type: "robot", ID: "x"}}, `Actor.Type "robot"`},
		"actor id":          {otelaudit.Activity{Action: "a", Actor: otelaudit.User("")}, "Actor.ID is empty for a user"},
		"actor trust":       {otelaudit.Activity{Action: "a", Actor: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "x", Trust: 3}}, "Actor.Trust 3"},
		"actor behind":      {otelaudit.Activity{Action: "a", Actor: otelaudit.User("x").For(otelaudit.Actor{})}, "Actor.Type"},
		"circle":            {otelaudit.Activity{Action: "a", Actor: *circle}, "circle"},
		"before 1970":       {otelaudit.Activity{Action: "a", Time: time.Unix(0, -1)}, "before 1970"},
		"a day ahead":       {otelaudit.Activity{Action: "a", Time: noon.Add(24*time.Hour + time.Nanosecond)}, "more than a day ahead"},
		"the far future":    {otelaudit.Activity{Action: "a", Time: time.Unix(1<<60, 0)}, "more than a day ahead"},
		"id without time":   {otelaudit.Activity{Action: "a", ID: otelaudit.DeriveID("x", "y")}, "has no Time"},
		"id of far future":  {otelaudit.Activity{Action: "a", ID: otelaudit.ID{0xff, 6: 0x70, 8: 0x80}}, "more than a day ahead"},
		"long wrong values": {otelaudit.Activity{Action: "a", Outcome: otelaudit.Outcome(strings.Repeat("x", 1<<20))}, "Outcome"},
	} {
		err := refused(t, otelaudit.Policy{Now: fixedClock}, t.Context(), tc.a)
		require.ErrorContains(t, err, tc.says, name)
		require.Less(t, len(err.Error()), 500, name)
	}
}

func TestPolicyRequires(t *testing.T) {
	t.Parallel()
	actor := otelaudit.Policy{RequireActor: true}
	require.ErrorContains(t, refused(t, actor, t.Context(), otelaudit.Activity{Action: "a.create"}), "audithttp")
	require.Error(t, refused(t, actor, t.Context(), otelaudit.Activity{Action: "a.create", Actor: otelaudit.Actor{Type: otelaudit.ActorUnknown}}))
	require.Error(t, refused(t, actor, otelaudit.ContextWithActor(t.Context(), otelaudit.Actor{}), otelaudit.Activity{Action: "a.create"}))
	record(t, actor, t.Context(), otelaudit.Activity{Action: "a.create", Actor: otelaudit.Anonymous()})

	tenant := otelaudit.Policy{RequireTenant: true}
	ana := otelaudit.User("ana")
	require.ErrorContains(t, refused(t, tenant, t.Context(), otelaudit.Activity{Action: "a.create", Actor: ana}), "tenant")
	ana.Tenant = "of the actor"
	ctx := otelaudit.ContextWithActor(t.Context(), ana)
	require.Equal(t, "of the actor", record(t, tenant, ctx, otelaudit.Activity{Action: "a.create"}).Tenant)
	ctx = otelaudit.ContextWithTenant(ctx, "of the context")
	require.Equal(t, "of the context", record(t, tenant, ctx, otelaudit.Activity{Action: "a.create"}).Tenant)
	require.Equal(t, "its own", record(t, tenant, ctx, otelaudit.Activity{Action: "a.create", Tenant: "its own"}).Tenant)

	// What is not recorded needs neither.
	for _, p := range []otelaudit.Policy{
		{RequireActor: true, RequireTenant: true, Ignore: []string{"health.*"}},
		{RequireActor: true, RequireTenant: true, Disabled: true},
	} {
		rc, err := otelaudit.NewRecorder(p)
		require.NoError(t, err)
		kept, err := rc.Record(t.Context(), &otelaudit.Activity{Action: "health.check"}, new(otelaudit.Record))
		require.NoError(t, err)
		require.False(t, kept)
	}
}

func TestPolicyIgnores(t *testing.T) {
	t.Parallel()
	p := otelaudit.Policy{Ignore: []string{"invoice.read", "health.*"}, Now: fixedClock}
	rc, err := otelaudit.NewRecorder(p)
	require.NoError(t, err)
	require.Equal(t, p.Ignore, rc.Policy().Ignore)
	var ignored uint64
	for action, want := range map[string]bool{
		"invoice.read":         true,
		"invoice.read.all":     false,
		"invoice.readable":     false,
		"invoice":              false,
		"health":               false,
		"health.":              true,
		"health.check":         true,
		"health.check.db":      true,
		"healthy.check":        false,
		"other.health.check":   false,
		"INVOICE.READ":         false,
		"invoice.read\x00":     false,
		strings.Repeat("x", 9): false,
	} {
		require.Equal(t, want, rc.Ignores(action), action)
		r := otelaudit.Record{Reason: "left from before"}
		kept, err := rc.Record(t.Context(), &otelaudit.Activity{Action: action, Reason: "why"}, &r)
		require.NoError(t, err)
		require.Equal(t, !want, kept, action)
		if want {
			ignored++
			require.Equal(t, otelaudit.Record{ID: r.ID, Time: noon, Actor: otelaudit.Actor{Type: otelaudit.ActorUnknown}, Reason: "why"}, r, "no more than a repetition needs")
			require.False(t, r.ID.IsZero())
		}
	}
	require.Equal(t, ignored, rc.Stats().Ignored)
	_, err = rc.Record(t.Context(), &otelaudit.Activity{Action: "health.check", Time: time.Unix(-1, 0)}, new(otelaudit.Record))
	require.ErrorIs(t, err, otelaudit.ErrInvalid, "a mistake is one all the same")

	for _, wrong := range []string{"", "*", ".*", "a*", "a.*.b", "*.a", "a.**"} {
		_, err := otelaudit.NewRecorder(otelaudit.Policy{Ignore: []string{wrong}})
		require.ErrorContains(t, err, "Policy.Ignore", "%q", wrong)
	}
}

func TestPolicyDisabled(t *testing.T) {
	t.Parallel()
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{Disabled: true})
	require.NoError(t, err)
	kept, err := rc.Record(t.Context(), &otelaudit.Activity{Action: "a.create"}, new(otelaudit.Record))
	require.NoError(t, err)
	require.False(t, kept)
	require.Equal(t, otelaudit.RecorderStats{Ignored: 1}, rc.Stats())
}

// unhappy is an error whose methods panic on a nil pointer.
type unhappy struct{ cause error }

func (u *unhappy) Error() string { return u.cause.Error() }
func (u *unhappy) Unwrap() error { return u.cause }

type typed struct{ error }

func (typed) ErrorType() string { return "card_declined" }

func TestRecordOutcome(t *testing.T) {
	t.Parallel()
	odd := errors.New("the text of an error is never recorded")
	for name, tc := range map[string]struct {
		a         otelaudit.Activity
		classify  func(error) otelaudit.Outcome
		outcome   otelaudit.Outcome
		errorType string
	}{
		"no error":                  {outcome: otelaudit.Success},
		"an error":                  {a: otelaudit.Activity{Err: odd}, outcome: otelaudit.Failure, errorType: "*errors.errorString"},
		"denied":                    {a: otelaudit.Activity{Err: fmt.Errorf("x: %w", otelaudit.ErrDenied)}, outcome: otelaudit.Denied, errorType: "denied"},
		"joined":                    {a: otelaudit.Activity{Err: errors.Join(odd, otelaudit.ErrDenied)}, outcome: otelaudit.Denied, errorType: "denied"},
		"with a type":               {a: otelaudit.Activity{Err: fmt.Errorf("pay: %w", typed{odd})}, outcome: otelaudit.Failure, errorType: "card_declined"},
		"its own outcome":           {a: otelaudit.Activity{Err: odd, Outcome: otelaudit.Success}, outcome: otelaudit.Success, errorType: "*errors.errorString"},
		"classified":                {a: otelaudit.Activity{Err: odd}, classify: func(error) otelaudit.Outcome { return otelaudit.OutcomeUnknown }, outcome: otelaudit.OutcomeUnknown, errorType: "*errors.errorString"},
		"classified as nothing":     {a: otelaudit.Activity{Err: otelaudit.ErrDenied}, classify: func(error) otelaudit.Outcome { return "" }, outcome: otelaudit.Denied, errorType: "denied"},
		"classified as nonsense":    {a: otelaudit.Activity{Err: odd}, classify: func(error) otelaudit.Outcome { return "x" }, outcome: otelaudit.Failure, errorType: "*errors.errorString"},
		"no error to classify":      {classify: func(error) otelaudit.Outcome { return otelaudit.Denied }, outcome: otelaudit.Success},
		"a nil pointer that panics": {a: otelaudit.Activity{Err: (*unhappy)(nil)}, outcome: otelaudit.Failure, errorType: "*otelaudit_test.unhappy"},
	} {
		tc.a.Action = "a.pay"
		r := record(t, otelaudit.Policy{Classify: tc.classify}, t.Context(), tc.a)
		require.Equal(t, tc.outcome, r.Outcome, name)
		require.Equal(t, tc.errorType, r.ErrorType, name)
		for _, kv := range r.AppendAttributes(nil) {
			require.NotContains(t, kv.Value.String(), "the text of an error", name)
		}
	}
}

func TestRecordTime(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 7200)
	v7 := otelaudit.ID{0x01, 0x95, 0x51, 0x73, 0xa4, 0x00, 6: 0x70, 8: 0x80, 15: 7}
	carried, _ := v7.Time()
	for name, tc := range map[string]struct {
		a     otelaudit.Activity
		want  time.Time
		ahead uint64
	}{
		"now":                    {want: noon},
		"whole microseconds":     {a: otelaudit.Activity{Time: noon.Add(1999)}, want: noon.Add(1000), ahead: 1},
		"UTC":                    {a: otelaudit.Activity{Time: noon.In(zone)}, want: noon},
		"1970":                   {a: otelaudit.Activity{Time: time.Unix(0, 0)}, want: time.Unix(0, 0).UTC()},
		"ahead":                  {a: otelaudit.Activity{Time: noon.Add(time.Minute)}, want: noon.Add(time.Minute), ahead: 1},
		"a day ahead":            {a: otelaudit.Activity{Time: noon.Add(24 * time.Hour)}, want: noon.Add(24 * time.Hour), ahead: 1},
		"less than a µs ahead":   {a: otelaudit.Activity{Time: noon.Add(999)}, want: noon},
		"what the id carries":    {a: otelaudit.Activity{ID: v7}, want: carried},
		"rather its own":         {a: otelaudit.Activity{ID: v7, Time: noon}, want: noon},
		"with an id of any kind": {a: otelaudit.Activity{ID: otelaudit.DeriveID("a", "b"), Time: noon}, want: noon},
	} {
		rc, err := otelaudit.NewRecorder(otelaudit.Policy{Now: func() time.Time { return noon.In(zone) }})
		require.NoError(t, err)
		tc.a.Action = "a.create"
		var r otelaudit.Record
		_, err = rc.Record(t.Context(), &tc.a, &r)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, r.Time, name) // also the location
		require.Equal(t, noon, r.Observed, name)
		require.Equal(t, tc.ahead, rc.Stats().AheadOfClock, name)
		if tc.a.ID.IsZero() {
			at, ok := r.ID.Time()
			require.True(t, ok)
			require.Equal(t, tc.want.Truncate(time.Millisecond), at, name)
		} else {
			require.Equal(t, tc.a.ID, r.ID, name)
		}
	}

	// The clock's monotonic reading is not part of a record.
	r := record(t, otelaudit.Policy{}, t.Context(), otelaudit.Activity{Action: "a.create"})
	require.Equal(t, r.Time.Round(0), r.Time)
	require.Zero(t, r.Time.Nanosecond()%1000)
}

func TestRecordMetadata(t *testing.T) {
	t.Parallel()
	ctx := otelaudit.ContextWithRequest(t.Context(), otelaudit.Request{
		Method: "GET", Route: "/auto", Path: "/auto", RPCMethod: "auto", ClientAddress: "auto", PeerAddress: "auto", UserAgent: "auto", ID: "auto",
	})
	r := record(t, otelaudit.Policy{}, ctx, otelaudit.Activity{
		Action: "a.create",
		Err:    errors.New("x"),
		Metadata: []attribute.KeyValue{
			attribute.String("http.route", "/explicit"),
			attribute.String("client.address", "2001:db8::1"),
			attribute.String("error.type", "explicit"),
			attribute.String("user_agent.original", ""),
			attribute.Int("http.request.method", 5),
			attribute.String("audit.actor.id", "mallory"),
			attribute.String("audit.integrity.value", "forged"),
			attribute.String("otelaudit.actor.trust", "verified"),
			attribute.String("user.name", "mallory"),
			attribute.String("session.id", "stolen"),
			attribute.String("log.record.uid", "x"),
			attribute.StringSlice("user.roles", []string{"root"}),
			attribute.String("", "no key"),
			attribute.String("auditor", "may be"),
			attribute.String("audit", "may be"),
		},
	})
	require.Equal(t, otelaudit.Request{
		Method: "5", Route: "/explicit", Path: "/auto", RPCMethod: "auto", ClientAddress: "2001:db8::1", PeerAddress: "auto", ID: "auto",
	}, r.Request)
	require.Equal(t, "explicit", r.ErrorType)
	require.Equal(t, []attribute.KeyValue{
		attribute.String("audit", "may be"),
		attribute.String("auditor", "may be"),
		attribute.String("metadata.audit.actor.id", "mallory"),
		attribute.String("metadata.audit.integrity.value", "forged"),
		attribute.String("metadata.log.record.uid", "x"),
		attribute.String("metadata.otelaudit.actor.trust", "verified"),
		attribute.String("metadata.session.id", "stolen"),
		attribute.String("metadata.unnamed", "no key"),
		attribute.String("metadata.user.name", "mallory"),
		attribute.StringSlice("metadata.user.roles", []string{"root"}),
	}, r.Metadata)
	reasons := map[otelaudit.SanitizeReason]int{}
	for _, s := range r.Sanitized {
		reasons[s.Reason]++
	}
	require.Equal(t, map[otelaudit.SanitizeReason]int{otelaudit.ReasonReserved: 8, otelaudit.ReasonType: 1}, reasons)

	seen := map[attribute.Key]bool{}
	for _, kv := range r.AppendAttributes(nil) {
		require.False(t, seen[kv.Key], "%s is there twice", kv.Key)
		seen[kv.Key] = true
	}
}

func TestRecordRoute(t *testing.T) {
	t.Parallel()
	calls := 0
	route := func() string { calls++; return "/late/{id}" }
	for name, tc := range map[string]struct {
		request otelaudit.Request
		want    string
		calls   int
	}{
		"known":      {otelaudit.Request{Route: "/early", RouteFunc: route}, "/early", 0},
		"known late": {otelaudit.Request{RouteFunc: route}, "/late/{id}", 1},
		"never":      {otelaudit.Request{}, "", 0},
	} {
		calls = 0
		rc, err := otelaudit.NewRecorder(otelaudit.Policy{})
		require.NoError(t, err)
		var r otelaudit.Record
		ctx := otelaudit.ContextWithRequest(t.Context(), tc.request)
		_, err = rc.Record(ctx, &otelaudit.Activity{Action: "a.create"}, &r)
		require.NoError(t, err)
		require.Equal(t, otelaudit.Request{Route: tc.want}, r.Request, name)
		require.Equal(t, tc.calls, calls, name)
	}
}

func TestRecordTrace(t *testing.T) {
	t.Parallel()
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled} {
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags})
		r := record(t, otelaudit.Policy{}, trace.ContextWithSpanContext(t.Context(), sc), otelaudit.Activity{Action: "a.create", Reason: "why"})
		require.Equal(t, sc.TraceID(), r.TraceID)
		require.Equal(t, sc.SpanID(), r.SpanID)
		require.Equal(t, flags, r.TraceFlags)
		require.Equal(t, "why", r.Reason, "sampling does not touch activities")
	}
}

func TestRecordVerb(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{
		"invoice.approve":  "APPROVE",
		"login":            "LOGIN",
		"a.b.c.Export_all": "EXPORT_ALL",
		"invoice.":         "INVOICE",
		"straße.öffnen":    "ÖFFNEN",
	} {
		r := record(t, otelaudit.Policy{}, t.Context(), otelaudit.Activity{Action: action})
		require.Equal(t, action, r.Action)
		require.Equal(t, want, r.Verb)
	}
}

// The verbs of actions are remembered, and an action may come from outside: many of them, and long ones, must not stay.
func TestRecordOfManyActions(t *testing.T) {
	t.Parallel()
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(t, err)
	var r otelaudit.Record
	for i := range 3000 {
		_, err := rc.Record(t.Context(), &otelaudit.Activity{Action: fmt.Sprint("a.verb", i)}, &r)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("VERB", i), r.Verb)
	}
}

// Record fills a used record as it fills a new one.
func TestRecordReuse(t *testing.T) {
	t.Parallel()
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{Now: fixedClock})
	require.NoError(t, err)
	ctx := otelaudit.ContextWithRequest(otelaudit.ContextWithActor(t.Context(), otelaudit.User("ana")), otelaudit.Request{Path: "/x"})
	full := otelaudit.Activity{
		Action: "a.create", Related: []otelaudit.Target{{Type: "b"}, {Type: "c"}}, Reason: "\x00", Err: errors.New("x"),
		Changes:  otelaudit.Changes{{Field: "f"}, {Field: "e"}},
		Metadata: []attribute.KeyValue{attribute.Int("b", 1), attribute.Int("a", 1)},
		Time:     noon, ID: otelaudit.DeriveID("x", "1"),
	}
	bare := otelaudit.Activity{Action: "b.create", Time: noon, ID: otelaudit.DeriveID("x", "2")}
	var used otelaudit.Record
	for _, a := range []otelaudit.Activity{full, bare, full} {
		var fresh otelaudit.Record
		_, err := rc.Record(ctx, &a, &fresh)
		require.NoError(t, err)
		_, err = rc.Record(ctx, &a, &used)
		require.NoError(t, err)
		require.Equal(t, fresh.AppendAttributes(nil), used.AppendAttributes(nil))
		require.True(t, fresh.SameActivity(&used))
	}
}

// No activity ever carries another's actor, and none's slices are written to.
func TestRecordConcurrently(t *testing.T) {
	t.Parallel()
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{Ignore: []string{"no.*"}})
	require.NoError(t, err)
	shared := otelaudit.Activity{
		Action:   "a.create",
		Related:  []otelaudit.Target{{Type: "t", ID: "\x00"}},
		Changes:  otelaudit.Changes{{Field: "z"}, {Field: "a"}},
		Metadata: []attribute.KeyValue{attribute.String("z", "\x00"), attribute.String("http.route", "/r"), attribute.String("a", "")},
	}
	roles := []string{"\x00", "b"}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			id := fmt.Sprint("user-", i)
			actor := otelaudit.Actor{Type: otelaudit.ActorUser, ID: id, Roles: roles}.For(otelaudit.User("for-" + id))
			ctx := otelaudit.ContextWithActor(t.Context(), actor)
			ctx = otelaudit.ContextWithRequest(ctx, otelaudit.Request{RouteFunc: func() string { return id }})
			var r otelaudit.Record
			for range 50 {
				if _, err := rc.Record(ctx, &shared, &r); err != nil {
					t.Error(err)
				}
				if r.Actor.ID != id || r.Actor.OnBehalfOf.ID != "for-"+id || r.Request.Route != "/r" {
					t.Errorf("%s has a record of %s for %s", id, r.Actor.ID, r.Actor.OnBehalfOf.ID)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, attribute.Key("z"), shared.Metadata[0].Key)
	require.Equal(t, "z", shared.Changes[0].Field)
	require.Equal(t, "\x00", shared.Related[0].ID)
	require.Equal(t, []string{"\x00", "b"}, roles)
}

func TestRecordSharesNothing(t *testing.T) {
	t.Parallel()
	behind := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bo", Roles: []string{"r"}}
	a := otelaudit.Activity{
		Action: "a.create", Actor: otelaudit.Actor{Type: otelaudit.ActorUser, ID: "ana", Roles: []string{"r"}, OnBehalfOf: &behind},
		Related: []otelaudit.Target{{Type: "t", ID: "1"}}, Changes: otelaudit.Changes{{Field: "f"}},
		Metadata: []attribute.KeyValue{attribute.Int("k", 1)},
	}
	r := record(t, otelaudit.Policy{}, t.Context(), a)
	want := r.Clone()
	a.Actor.Roles[0], behind.Roles[0], behind.ID = "x", "x", "x"
	a.Related[0].ID, a.Changes[0].Field, a.Metadata[0].Key = "x", "x", "x"
	require.Equal(t, want, r)

	c := r.Clone()
	c.Actor.Roles[0], c.Actor.OnBehalfOf.ID, c.Related[0].ID, c.Changes[0].Field, c.Metadata[0].Key = "x", "x", "x", "x", "x"
	require.Equal(t, want, r)
}

func TestSessionsAreHashed(t *testing.T) {
	t.Parallel()
	hashed := func(session string) string {
		actor := otelaudit.Actor{Type: otelaudit.ActorUser, ID: "ana", Session: session}.For(otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bo", Session: session})
		r := record(t, otelaudit.Policy{}, t.Context(), otelaudit.Activity{Action: "a.create", Actor: actor})
		require.Equal(t, r.Actor.Session, r.Actor.OnBehalfOf.Session)
		return r.Actor.Session
	}
	require.Empty(t, hashed(""))
	require.Equal(t, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hashed("abc"))
	require.Equal(t, hashed("abc"), hashed(hashed("abc")), "a hash stays as it is")
	for _, pretender := range []string{
		"sha256:" + strings.Repeat("z", 64), "sha256:" + strings.Repeat("A", 64), "sha256:abc", "sha256:" + strings.Repeat("\x00", 64),
	} {
		require.NotEqual(t, pretender, hashed(pretender))
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	ctx := otelaudit.ContextWithReason(t.Context(), "ticket\x007")
	_, ok := otelaudit.ReasonFromContext(t.Context())
	require.False(t, ok)
	reason, ok := otelaudit.ReasonFromContext(ctx)
	require.True(t, ok)
	require.Equal(t, "ticket\x007", reason)

	require.Empty(t, record(t, otelaudit.Policy{}, t.Context(), otelaudit.Activity{Action: "a.update"}).Reason)
	require.Equal(t, "own", record(t, otelaudit.Policy{}, ctx, otelaudit.Activity{Action: "a.update", Reason: "own"}).Reason)
	require.Equal(t, "own", record(t, otelaudit.Policy{}, otelaudit.ContextWithReason(ctx, "own"), otelaudit.Activity{Action: "a.update"}).Reason)

	// Fixed, it is the same reason in every context, also none, and what was altered in it is still flagged.
	a := otelaudit.Activity{Action: "a.update"}
	first := record(t, otelaudit.Policy{}, ctx, a)
	require.Equal(t, "ticket\uFFFD7", first.Reason)
	require.Len(t, first.Sanitized, 1)
	for _, elsewhere := range []context.Context{t.Context(), otelaudit.ContextWithReason(ctx, "another")} {
		again := record(t, otelaudit.Policy{}, elsewhere, first.Fixed(a))
		require.True(t, first.SameActivity(again))
		require.Equal(t, first.Sanitized, again.Sanitized)
	}
	without := record(t, otelaudit.Policy{}, t.Context(), a)
	require.True(t, without.SameActivity(record(t, otelaudit.Policy{}, ctx, without.Fixed(a))))
}

func TestSameActivity(t *testing.T) {
	t.Parallel()
	base := otelaudit.Activity{
		Action: "a.update", Time: noon, Actor: otelaudit.User("ana").For(otelaudit.User("bo")), Target: otelaudit.Target{Type: "t", ID: "1"},
		Related: []otelaudit.Target{{Type: "t", ID: "2"}}, Reason: "why", Tenant: "acme",
		Changes:  otelaudit.Changes{{Field: "f", Old: attribute.IntValue(1), New: attribute.Float64SliceValue([]float64{0, 1})}},
		Metadata: []attribute.KeyValue{attribute.Float64("k", 0), attribute.Map("m", attribute.Slice("s", attribute.ByteSliceValue([]byte("b"))))},
	}
	first := record(t, otelaudit.Policy{Now: fixedClock}, t.Context(), base)

	// Observed time, trace, request, operation, resource and id are not part of what was done.
	again := otelaudit.ContextWithOperation(otelaudit.ContextWithRequest(t.Context(), otelaudit.Request{Path: "/retry"}), "retry")
	again = trace.ContextWithSpanContext(again, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	require.True(t, first.SameActivity(record(t, otelaudit.Policy{}, again, base)))
	require.True(t, first.SameActivity(first))

	for name, change := range map[string]func(a *otelaudit.Activity){
		"action":           func(a *otelaudit.Activity) { a.Action = "a.create" },
		"time":             func(a *otelaudit.Activity) { a.Time = noon.Add(-time.Microsecond) },
		"actor":            func(a *otelaudit.Activity) { a.Actor.ID = "eve" },
		"roles":            func(a *otelaudit.Activity) { a.Actor.Roles = []string{"r"} },
		"trust":            func(a *otelaudit.Activity) { a.Actor.Trust = otelaudit.TrustVerified },
		"chain":            func(a *otelaudit.Activity) { a.Actor.OnBehalfOf = nil },
		"end of the chain": func(a *otelaudit.Activity) { a.Actor = a.Actor.For(otelaudit.User("cy")) },
		"target":           func(a *otelaudit.Activity) { a.Target.Name = "x" },
		"related":          func(a *otelaudit.Activity) { a.Related = nil },
		"outcome":          func(a *otelaudit.Activity) { a.Outcome = otelaudit.Denied },
		"reason":           func(a *otelaudit.Activity) { a.Reason = "" },
		"tenant":           func(a *otelaudit.Activity) { a.Tenant = "" },
		"type of a value": func(a *otelaudit.Activity) {
			a.Changes = otelaudit.Changes{{Field: "f", Old: attribute.Float64Value(1), New: a.Changes[0].New}}
		},
		"zero's sign": func(a *otelaudit.Activity) {
			a.Metadata = []attribute.KeyValue{attribute.Float64("k", math.Copysign(0, -1)), a.Metadata[1]}
		},
		"value within": func(a *otelaudit.Activity) {
			a.Metadata = []attribute.KeyValue{a.Metadata[0], attribute.Map("m", attribute.Slice("s", attribute.StringValue("b")))}
		},
		"key within": func(a *otelaudit.Activity) {
			a.Metadata = []attribute.KeyValue{a.Metadata[0], attribute.Map("m", attribute.Slice("S", attribute.ByteSliceValue([]byte("b"))))}
		},
	} {
		a := base
		change(&a)
		require.False(t, first.SameActivity(record(t, otelaudit.Policy{}, t.Context(), a)), name)
	}
}

func TestFunctionsOfTheApplicationThatPanicCostNoRecord(t *testing.T) {
	t.Parallel()
	ctx := otelaudit.ContextWithRequest(t.Context(), otelaudit.Request{Method: "GET", RouteFunc: func() string { panic("route") }})
	r := record(t, otelaudit.Policy{Classify: func(error) otelaudit.Outcome { panic("classify") }}, ctx,
		otelaudit.Activity{Action: "a.read", Err: errors.New("odd")})
	require.Equal(t, "GET", r.Request.Method)
	require.Empty(t, r.Request.Route)
	require.Equal(t, otelaudit.Failure, r.Outcome)
}
