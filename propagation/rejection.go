package propagation

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Rejection is why a token was not taken for an actor. It is one of the constants, and says nothing of what the token holds.
type Rejection string

// The reasons.
const (
	RejectionBaggageLimit Rejection = "baggage_limit" // the header exceeds 64 members or 8,192 bytes
	RejectionDuplicate    Rejection = "duplicate"     // several members with our key
	RejectionMalformed    Rejection = "malformed"     // the member, or the token, is not as docs/actor-token.md says
	RejectionOverlong     Rejection = "overlong"      // more than 2,048 bytes
	RejectionVersion      Rejection = "version"       // another version, or another kind: a message's token in a request
	RejectionUnknownKey   Rejection = "unknown_key"   // no key has this id
	RejectionRevokedKey   Rejection = "revoked_key"   // the key was revoked
	RejectionKeyNotValid  Rejection = "key_not_valid" // outside of the key's time
	RejectionSignature    Rejection = "signature"     // the key has not signed this
	RejectionIssuer       Rejection = "issuer"        // the key may not speak for the issuer
	RejectionExpired      Rejection = "expired"       // its time is over
	RejectionNotYetValid  Rejection = "not_yet_valid" // issued in the future
	RejectionLifetime     Rejection = "lifetime"      // it would live longer than a token may
	RejectionAudience     Rejection = "audience"      // it is for another service
	RejectionTrace        Rejection = "trace"         // it belongs to another trace
	RejectionMessage      Rejection = "message"       // it belongs to another message
)

type rejectionKey struct{}

// contextWithRejection returns ctx with why the last token that came was not taken; "" where it was.
func contextWithRejection(ctx context.Context, rejection Rejection) context.Context {
	if last, _ := RejectionFromContext(ctx); last == rejection {
		return ctx
	}
	return context.WithValue(ctx, rejectionKey{}, rejection)
}

// RejectionFromContext returns why [Propagator.Extract] did not take the token that came with a request, or
// [Propagator.FromMessage] that of a message, and whether there was such a token.
func RejectionFromContext(ctx context.Context) (Rejection, bool) {
	rejection, _ := ctx.Value(rejectionKey{}).(Rejection)
	return rejection, rejection != ""
}

// actionReject is the action under which a rejected token is recorded.
const actionReject = "otelaudit.actor_token.reject"

// TrackRejection records that the token which came with ctx's request was rejected, and why: the activity
// "otelaudit.actor_token.reject", denied, by the actor of ctx, who is anonymous where nobody is known. The reason is in its
// metadata; nothing of the token is in the record. Where no token was rejected it records nothing and returns nil. Its errors
// are those of [otelaudit.Track].
func TrackRejection(ctx context.Context) error {
	rejection, ok := RejectionFromContext(ctx)
	if !ok {
		return nil
	}
	a := otelaudit.Activity{
		Action:   actionReject,
		Outcome:  otelaudit.Denied,
		Metadata: []attribute.KeyValue{attribute.String("reason", string(rejection))},
	}
	if actor, ok := otelaudit.ActorFromContext(ctx); !ok || actor.IsZero() {
		a.Actor = otelaudit.Anonymous()
	}
	return otelaudit.Track(ctx, a)
}

// TrackRejected returns middleware that calls [TrackRejection] for each request, and then next: a rejected token does not
// stop a request, it only names nobody. Where the record could not be confirmed, next is not called and the answer is 503.
//
// It is for services without audithttp's middleware, whose option audithttp.WithRejectionsTracked does the same: within that,
// TrackRejected does not see the requests that it answers with 401. Behind a door that is open to the world put [Edge] in front
// of it all, or anybody can fill the trail with such records.
func TrackRejected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := TrackRejection(r.Context()); err != nil {
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}
