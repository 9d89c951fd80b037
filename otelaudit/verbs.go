package otelaudit

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
)

// Created returns the activity "TYPE.create" of target, with the tracked fields of v as changes from nothing. See [Diff] for
// what is tracked. v may be a nil pointer; without anything to show, say Created[any](target, nil).
func Created[T any](target Target, v T) Activity {
	return Activity{Action: target.Type + ".create", Target: target, Changes: fieldsOf(v, true)}
}

// Updated returns the activity "TYPE.update" of target, with [Diff] of before and after as changes.
func Updated[T any](target Target, before, after T) Activity {
	return Activity{Action: target.Type + ".update", Target: target, Changes: Diff(before, after)}
}

// Deleted returns the activity "TYPE.delete" of target, with the tracked fields of v as changes to nothing. v may
// be nil as in [Created].
func Deleted[T any](target Target, v T) Activity {
	return Activity{Action: target.Type + ".delete", Target: target, Changes: fieldsOf(v, false)}
}

// LoggedIn returns the activity "TYPE.login" of actor, authenticated by method ("password", "oidc", "webauthn").
func LoggedIn(actor Actor, method string) Activity {
	actor.AuthMethod = method
	return Activity{Action: string(actor.Type) + ".login", Actor: actor, Target: asTarget(actor)}
}

// The metadata of LoginFailed.
const (
	KeyLoginClaim  = "login.claim"  // the name that was typed: a claim, no actor
	KeyLoginMethod = "login.method" // how the login was tried
)

// LoginFailed returns the activity "user.login" that did not succeed. Its actor is anonymous: whoever typed claimed has not
// shown to be anybody, so claimed is kept as metadata (login.claim), as is method (login.method), each unless it is empty.
// People type passwords into the wrong field: leave claimed empty where that must not be recorded. err gives error.type, and
// Denied for [ErrDenied]; without one the outcome is Failure all the same.
func LoginFailed(claimed, method string, err error) Activity {
	a := Activity{Action: "user.login", Actor: Anonymous(), Err: err}
	if claimed != "" {
		a.Metadata = append(a.Metadata, attribute.String(KeyLoginClaim, claimed))
	}
	if method != "" {
		a.Metadata = append(a.Metadata, attribute.String(KeyLoginMethod, method))
	}
	if err == nil {
		a.Outcome = Failure
	}
	return a
}

// LoggedOut returns the activity "TYPE.logout" of actor.
func LoggedOut(actor Actor) Activity {
	return Activity{Action: string(actor.Type) + ".logout", Actor: actor, Target: asTarget(actor)}
}

func asTarget(a Actor) Target { return Target{Type: string(a.Type), ID: a.ID, Name: a.Name} }

// TrackCreate tracks [Created].
func TrackCreate[T any](ctx context.Context, target Target, v T) error {
	return Track(ctx, Created(target, v))
}

// TrackUpdate tracks [Updated].
func TrackUpdate[T any](ctx context.Context, target Target, before, after T) error {
	return Track(ctx, Updated(target, before, after))
}

// TrackDelete tracks [Deleted].
func TrackDelete[T any](ctx context.Context, target Target, v T) error {
	return Track(ctx, Deleted(target, v))
}

// TrackLogin tracks [LoggedIn].
func TrackLogin(ctx context.Context, actor Actor, method string) error {
	return Track(ctx, LoggedIn(actor, method))
}

// TrackLoginFailed tracks [LoginFailed].
func TrackLoginFailed(ctx context.Context, claimed, method string, err error) error {
	return Track(ctx, LoginFailed(claimed, method, err))
}

// TrackLogout tracks [LoggedOut].
func TrackLogout(ctx context.Context, actor Actor) error {
	return Track(ctx, LoggedOut(actor))
}
