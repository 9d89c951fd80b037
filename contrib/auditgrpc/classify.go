package auditgrpc

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Classify is an [otelaudit.Policy].Classify for services that call others over gRPC:
//
//	Policy: otelaudit.Policy{Classify: auditgrpc.Classify}
//
// PermissionDenied, Unauthenticated and what wraps [otelaudit.ErrDenied] are Denied. DeadlineExceeded, Canceled and
// Unavailable are OutcomeUnknown: the client has no answer, and the server may have done all the same what it was asked for,
// so that a record of a failure could be wrong. Every other code is an answer, and Failure.
//
// It returns "", which leaves the outcome to the policy's default, for an error without a gRPC status, also for those of
// package context: who gives up on its own work knows that it did.
func Classify(err error) otelaudit.Outcome {
	if errors.Is(err, otelaudit.ErrDenied) {
		return otelaudit.Denied
	}
	s, ok := status.FromError(err)
	if !ok {
		return ""
	}
	switch s.Code() {
	case codes.OK:
		return otelaudit.Success
	case codes.PermissionDenied, codes.Unauthenticated:
		return otelaudit.Denied
	case codes.DeadlineExceeded, codes.Canceled, codes.Unavailable:
		return otelaudit.OutcomeUnknown
	default:
		return otelaudit.Failure
	}
}
