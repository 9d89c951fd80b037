package auditgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	want := map[codes.Code]otelaudit.Outcome{
		codes.PermissionDenied: otelaudit.Denied,
		codes.Unauthenticated:  otelaudit.Denied,
		codes.DeadlineExceeded: otelaudit.OutcomeUnknown,
		codes.Canceled:         otelaudit.OutcomeUnknown,
		codes.Unavailable:      otelaudit.OutcomeUnknown,
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		outcome, ok := want[code]
		if !ok {
			outcome = otelaudit.Failure
		}
		err := status.Error(code, "text")
		require.Equal(t, outcome, auditgrpc.Classify(err), code)
		require.Equal(t, outcome, auditgrpc.Classify(fmt.Errorf("charge: %w", err)), code)
		require.Equal(t, otelaudit.Denied, auditgrpc.Classify(errors.Join(err, otelaudit.ErrDenied)), code)
	}
	require.Equal(t, otelaudit.Success, auditgrpc.Classify(nil))
	for _, err := range []error{errors.New("plain"), context.Canceled, context.DeadlineExceeded} {
		require.Empty(t, auditgrpc.Classify(err))
	}
}

func TestClassifyAsPolicy(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]otelaudit.Outcome{
		nil: otelaudit.Success,
		status.Error(codes.Unavailable, "connection lost"): otelaudit.OutcomeUnknown,
		status.Error(codes.PermissionDenied, "no"):         otelaudit.Denied,
		status.Error(codes.Internal, "no"):                 otelaudit.Failure,
		errors.New("plain"):                                otelaudit.Failure,
		otelaudit.ErrDenied:                                otelaudit.Denied,
	} {
		tr := audittest.New(t, audittest.WithPolicy(otelaudit.Policy{Classify: auditgrpc.Classify}))
		require.NoError(t, otelaudit.Track(tr.Context(), otelaudit.Activity{Action: "invoice.charge", Actor: otelaudit.User("alice"), Err: err}))
		require.Equal(t, want, only(t, tr).Outcome, err)
	}
}
