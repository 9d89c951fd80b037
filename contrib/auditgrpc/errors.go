package auditgrpc

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrUnauthenticated says that the call carried credentials that do not show who sent it. The ready actor functions wrap it.
// The interceptors answer codes.Unauthenticated, or go on as anonymous where [WithAnonymousOnError] says so.
var ErrUnauthenticated = errors.New("auditgrpc: unauthenticated")

// What a client is told: nothing of what went wrong inside.
var (
	errRefused    = status.Error(codes.Unauthenticated, "unauthenticated")
	errUnrecorded = status.Error(codes.Unavailable, "the activity could not be recorded")
)
