// Package propagation carries who acts from service to service, so that each of them records the person who started it all,
// the services in between, and one operation.
//
//	keys, err := propagation.NewKeyring()
//	err = keys.Reload(ctx, propagation.KeysFromFile("/run/secrets/actor-keys.json"))
//	p, err := propagation.New(propagation.Config{Service: "orders", Keys: keys})
//	otel.SetTextMapPropagator(otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, p))
//
// A [Propagator] takes the place of OpenTelemetry's Baggage in the composite. It carries the application's ordinary baggage
// as that does, and one member more, otelaudit.actor: a signed token of at most 2 KiB that says who acts, on whose behalf, for
// which tenant, why and in which operation. docs/actor-token.md has its format.
//
// # One way of an actor
//
//   - At the door to the outside [Edge] removes what strangers send, and begins an operation. audithttp puts the actor into the
//     context.
//   - A client's [Transport] names the service that a request is for, from a list of its own. Only then [Propagator.Inject]
//     makes a token, for that service and this trace. Without a Transport there is none: Inject does not know where a request
//     goes, and every client of otelhttp would give the token away.
//   - At that service [Propagator.Extract] verifies it. The context gets the calling service as its actor, on behalf of those
//     for whom it acts: to billing it is orders, on behalf of edge, on behalf of alice.
//
// An actor that the service's own authentication sets replaces the one from the token; see audithttp.WithPropagated.
//
// # What it guarantees
//
// A token is believed only if a key of the [Keyring] has signed it, the key may speak for its issuer, and it is meant for this
// service, this trace (or none, where there is none) and this minute. Whatever else comes in names nobody: it is taken out of the baggage, counted by its
// [Rejection], recorded with audithttp.WithRejectionsTracked where that is wanted, and the request goes on. No token is in an error, a metric
// or a record, and none in a span where [HideToken] stands below otelhttp's transport.
//
// The baggage of others stays as it is. Ours comes last, and is left out where it would make the header longer than a receiver
// takes.
//
// # What it does not
//
// A token is no credential: it says for whom a caller that may call acts, and replaces no authentication of that caller.
// Whoever reads a request on its way can send its token again, to the same service in the same trace, until it has expired and
// [Skew] is over. Whoever has the HMAC secret of a trust group can speak for all of it; Ed25519 keys, each
// with its issuers, are for those who are trusted less.
package propagation
