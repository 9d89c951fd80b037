//go:build unix

package torture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// number names an activity before anybody gives it an id: which life of the process, which goroutine, whether in a TrackAll,
// the how manieth of those.
type number int64

func numberOf(life, worker, i int) number { return number(life)<<40 | number(worker)<<32 | number(i) }

const inBatch number = 1 << 31

func (n number) life() int     { return int(n >> 40) }
func (n number) worker() int   { return int(n >> 32 & 0xff) }
func (n number) batched() bool { return n&inBatch != 0 }
func (n number) index() int    { return int(n &^ inBatch & 0xffffffff) }

func (n number) String() string {
	how := "."
	if n.batched() {
		how = ".all."
	}
	return fmt.Sprintf("%d.%d%s%d", n.life(), n.worker(), how, n.index())
}

// world is what every process of a test agrees on, so that a number is enough to know an activity.
type world struct {
	Epoch         time.Time // what activities with a time of their own count from; whole microseconds
	PoisonEvery   int       // each so manieth activity of a goroutine is one that the sink refuses; 0: none
	ConflictEvery int       // each so manieth has the id of the one before it; 0: none. Even
}

func newWorld() world {
	return world{Epoch: time.Now().Add(-time.Minute).Truncate(time.Microsecond).UTC()}
}

// The reasons that a dead letter of each kind must give.
const (
	poisonReason   = "torture: this one is poisonous"
	conflictReason = "another activity has this time and id"
)

const poisonAction = "torture.poison"

func (w world) poisonous(n number) bool {
	return w.PoisonEvery > 0 && n.index()%w.PoisonEvery == w.PoisonEvery-1 &&
		!w.conflicts(n) && !w.conflicts(n+1) // which needs something to conflict with
}

func (w world) conflicts(n number) bool {
	return w.ConflictEvery > 0 && n.index()%w.ConflictEvery == w.ConflictEvery-1
}

// fate is why the sink must set the activity aside, or "".
func (w world) fate(n number) string {
	switch {
	case w.conflicts(n):
		return conflictReason
	case w.poisonous(n):
		return poisonReason
	}
	return ""
}

// ownKey returns the id and the time that the activity brings with it, zero where the trail is to choose.
func (w world) ownKey(n number) (otelaudit.ID, time.Time) {
	if w.conflicts(n) {
		n--
	}
	at := w.Epoch.Add(time.Duration(n.index()%1e6+1000*n.worker()) * time.Microsecond)
	switch {
	case n.index()%4 == 0 || w.conflicts(n+1):
		return otelaudit.DeriveID("torture", n.String()), at
	case n.index()%8 == 1:
		return otelaudit.ID{}, at
	}
	return otelaudit.ID{}, time.Time{}
}

// errDenied is what the activity's own work may have ended with.
var errDenied = fmt.Errorf("not on Sundays: %w", otelaudit.ErrDenied)

// record is what must be stored for n, but for what the trail chooses: ID and Time (see ownKey), Observed and Resource. It is
// put together by hand, not by the code under test.
func (w world) record(n number) *otelaudit.Record {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	r := &otelaudit.Record{
		Action:  "invoice.approve",
		Verb:    "APPROVE",
		Actor:   otelaudit.Actor{Type: otelaudit.ActorUser, ID: fmt.Sprint("u-", random.IntN(50))},
		Target:  otelaudit.Target{Type: "invoice", ID: n.String(), Name: "Rechnung Nº " + n.String()},
		Outcome: otelaudit.Success,
		Tenant:  fmt.Sprint("t-", random.IntN(5)),
		Metadata: []attribute.KeyValue{
			attribute.Float64("amount", random.Float64()),
			attribute.StringSlice("labels", []string{"α", "b c", ""}[:random.IntN(4)]),
			attribute.String("padding", strings.Repeat("x", random.IntN(400))),
			attribute.Int64(numberKey, int64(n)),
		},
	}
	r.ID, r.Time = w.ownKey(n)
	if w.poisonous(n) {
		r.Action, r.Verb = poisonAction, "POISON"
	}
	if random.IntN(2) == 0 {
		session := sha256.Sum256([]byte(sessionOf(n)))
		r.Actor.Name, r.Actor.Roles, r.Actor.Trust = "Ünal \"Ü\" O'Neill", []string{"approver", "clerk"}, otelaudit.TrustVerified
		r.Actor.Session, r.Actor.AuthMethod = "sha256:"+hex.EncodeToString(session[:]), "oidc"
		r.Actor.OnBehalfOf = &otelaudit.Actor{Type: otelaudit.ActorService, ID: "batch", Tenant: "t-9"}
		r.Reason = "within the approver's limit"
		r.Changes = otelaudit.Changes{
			{Field: "approved", Old: attribute.BoolValue(false), New: attribute.BoolValue(true)},
			{Field: "total", Old: attribute.Int64Value(0), New: attribute.Int64Value(int64(n))},
		}
	}
	if random.IntN(3) == 0 {
		r.Outcome, r.ErrorType = otelaudit.Denied, "denied"
		r.Related = []otelaudit.Target{{Type: "order", ID: "1"}, {Type: "order", ID: "2", Name: "the second"}}
	}
	if random.IntN(3) == 0 && !n.batched() { // those have one context
		r.Operation = "import-" + n.String()
		r.Request = otelaudit.Request{
			Method: "POST", Route: "/invoices/{id}", Path: "/invoices/" + n.String(), ClientAddress: "192.0.2.7",
			PeerAddress: "10.0.0.1", UserAgent: "torture/1", ID: "r-" + n.String(),
		}
		r.TraceID, r.SpanID, r.TraceFlags = trace.TraceID{1, byte(n)}, trace.SpanID{2, byte(n)}, trace.FlagsSampled
	}
	return r
}

// numberKey is the metadata that carries the number.
const numberKey = "torture.n"

func sessionOf(n number) string { return "session " + n.String() }

// activity is what is tracked for n, and the context to track it in.
func (w world) activity(ctx context.Context, n number) (context.Context, otelaudit.Activity) {
	r := w.record(n)
	a := otelaudit.Activity{
		Action: r.Action, Actor: r.Actor, Target: r.Target, Related: r.Related, Reason: r.Reason, Changes: r.Changes,
		Metadata: r.Metadata, Tenant: r.Tenant, ID: r.ID, Time: r.Time,
	}
	if a.Actor.Session != "" {
		a.Actor.Session = sessionOf(n)
	}
	if r.Outcome == otelaudit.Denied {
		a.Err = errors.Join(errDenied)
	}
	if r.Operation == "" {
		return ctx, a
	}
	ctx = otelaudit.ContextWithOperation(otelaudit.ContextWithRequest(ctx, r.Request), r.Operation)
	ctx = otelaudit.ContextWithTenant(otelaudit.ContextWithActor(ctx, a.Actor), a.Tenant) // half of who and where comes from here
	a.Actor, a.Tenant = otelaudit.Actor{}, ""
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: r.TraceID, SpanID: r.SpanID, TraceFlags: r.TraceFlags,
	})), a
}

// numberIn returns the number that a record carries.
func numberIn(r *otelaudit.Record) (number, bool) {
	for _, kv := range r.Metadata {
		if kv.Key == numberKey && kv.Value.Type() == attribute.INT64 {
			return number(kv.Value.AsInt64()), true
		}
	}
	return 0, false
}
