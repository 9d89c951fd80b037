package otelaudit_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

type product struct {
	Name  string `audit:"track"`
	Price int    `audit:"track"`
	Cost  int    `audit:"sensitive"`
	Note  string
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("ana"))
	target := otelaudit.Target{Type: "product", ID: "7", Name: "Lamp"}
	lamp := product{Name: "Lamp", Price: 5, Cost: 2, Note: "untagged"}
	dearer := lamp
	dearer.Price = 6

	require.NoError(t, otelaudit.TrackCreate(ctx, target, lamp))
	r := tr.Require("product.create",
		audittest.Actor(otelaudit.User("ana")), audittest.Target("product", "7"), audittest.Outcome(otelaudit.Success),
		audittest.Change("Name", nil, "Lamp"), audittest.Change("Price", nil, 5), audittest.Change("Cost", nil, otelaudit.Redacted))
	require.Equal(t, "CREATE", r.Verb)
	require.Len(t, r.Changes, 3)
	require.Equal(t, target, r.Target)

	require.NoError(t, otelaudit.TrackUpdate(ctx, target, lamp, dearer))
	r = tr.Require("product.update", audittest.Change("Price", 5, 6))
	require.Len(t, r.Changes, 1)

	require.NoError(t, otelaudit.TrackDelete(ctx, target, &dearer))
	r = tr.Require("product.delete", audittest.Change("Price", 6, nil), audittest.Change("Cost", otelaudit.Redacted, nil))
	require.Len(t, r.Changes, 3)

	require.NoError(t, otelaudit.TrackDelete[*product](ctx, otelaudit.Target{Type: "product", ID: "8"}, nil))
	require.Empty(t, tr.Require("product.delete", audittest.Target("product", "8")).Changes)
	require.Empty(t, otelaudit.Created[any](target, nil).Changes)
}

func TestLogins(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.Anonymous())
	ana := otelaudit.User("ana")
	ana.Name = "Ana"

	require.NoError(t, otelaudit.TrackLogin(ctx, ana, "oidc"))
	r := tr.Require("user.login", audittest.Actor(otelaudit.Actor{Type: otelaudit.ActorUser, ID: "ana", AuthMethod: "oidc"}), audittest.Target("user", "ana"))
	require.Equal(t, "LOGIN", r.Verb)
	require.Equal(t, "Ana", r.Target.Name)

	require.NoError(t, otelaudit.TrackLogout(ctx, ana))
	tr.Require("user.logout", audittest.Actor(ana), audittest.Target("user", "ana"))

	require.NoError(t, otelaudit.TrackLogin(ctx, otelaudit.Service("mailer"), "mtls"))
	tr.Require("service.login", audittest.Target("service", "mailer"))
	require.ErrorIs(t, otelaudit.TrackLogin(ctx, otelaudit.Actor{}, "oidc"), otelaudit.ErrInvalid, "nobody cannot log in")
}

func TestLoginFailed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err       error
		outcome   otelaudit.Outcome
		errorType string
	}{
		"an error":  {errors.New("wrong password for ana"), otelaudit.Failure, "*errors.errorString"},
		"denied":    {otelaudit.ErrDenied, otelaudit.Denied, "denied"},
		"no reason": {nil, otelaudit.Failure, ""},
	} {
		tr := audittest.New(t)
		// Whoever is logged in already is not who typed the name.
		ctx := otelaudit.ContextWithActor(tr.Context(), otelaudit.User("bo"))
		require.NoError(t, otelaudit.TrackLoginFailed(ctx, "ana", "password", tc.err), name)
		r := tr.Require("user.login",
			audittest.Actor(otelaudit.Anonymous()), audittest.Outcome(tc.outcome), audittest.ErrorType(tc.errorType),
			audittest.Metadata(attribute.String(otelaudit.KeyLoginClaim, "ana"), attribute.String(otelaudit.KeyLoginMethod, "password")))
		require.Equal(t, otelaudit.Target{}, r.Target, "a claim is no target")
	}
	method := []attribute.KeyValue{attribute.String(otelaudit.KeyLoginMethod, "oidc")}
	require.Equal(t, method, otelaudit.LoginFailed("", "oidc", nil).Metadata)
	require.Empty(t, otelaudit.LoginFailed("", "", nil).Metadata)
}

// Without a type there is no event name: the programmer forgot it.
func TestVerbsWithoutAType(t *testing.T) {
	t.Parallel()
	tr := audittest.New(t)
	for _, err := range []error{
		otelaudit.TrackCreate[any](tr.Context(), otelaudit.Target{ID: "1"}, nil),
		otelaudit.TrackLogout(tr.Context(), otelaudit.Actor{}),
	} {
		require.ErrorIs(t, err, otelaudit.ErrInvalid)
		require.ErrorContains(t, err, "Type")
	}
	require.Empty(t, tr.Records())
}
