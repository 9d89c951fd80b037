// Package audittest keeps activities in memory, for the tests of services that track them.
//
//	func TestApprove(t *testing.T) {
//		trail := audittest.New(t)
//		ctx := otelaudit.ContextWithActor(trail.Context(), otelaudit.User("ana"))
//
//		require.NoError(t, service.Approve(ctx, "42"))
//
//		trail.Require("invoice.approve",
//			audittest.Actor(otelaudit.User("ana")),
//			audittest.Target("invoice", "42"),
//			audittest.Change("state", "open", "approved"))
//	}
//
// A [Trail] makes its records as the production trail does: with an [otelaudit.Recorder] under an [otelaudit.Policy]. It
// refuses what that refuses, ignores what that ignores, keeps the same activity once and rejects another one under its id.
// It has no journal and no sinks; [Trail.FailWith] plays their failures. Nothing outlives the test.
//
// A record whose actor is unknown fails the test, since it is the fault that audit trails suffer from most:
// [AllowUnknownActor] for the tests that mean it.
package audittest
