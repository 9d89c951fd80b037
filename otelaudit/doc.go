// Package otelaudit states facts: who did what, when, where, why and with what result.
//
// A service calls [Track] where it acts with intent:
//
//	err := otelaudit.Track(ctx, otelaudit.Activity{
//		Action: "invoice.approve",
//		Target: otelaudit.Target{Type: "invoice", ID: inv.ID},
//		Reason: "within the approver's limit",
//	})
//
// nil means that the record cannot be lost any more, in the sense in which the trail promises it. An error means that it is
// not confirmed; tracking the activities of the [TrackError] again is safe.
//
// The actor, the request, the tenant, the operation and the reason come from the context, where middleware put them; what an
// [Activity] says itself goes before. [Detach] is for work that outlives the request. Who nobody named is recorded as unknown,
// and never guessed. Fields of the application's types are recorded only where a tag or a list allows it ([Diff], [Fields]).
//
// What the world sends is made storable rather than refused: see the limits (MaxIDBytes and the others) and [Sanitization].
// What the programmer must mend is refused with [ErrInvalid].
//
// The package needs OpenTelemetry's API and nothing else. It does not move or store records: a [Trail] does, package trail
// in production and package audittest in tests. It does not track SQL, and does not infer intent.
package otelaudit
