package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

type credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

type session struct {
	Token string `json:"token"`
}

// login gives a token to whom the password proves. A login that is not recorded has not happened.
func (s *api) login(r *http.Request) (any, error) {
	in, err := read[credentials](r)
	if err != nil {
		return nil, err
	}
	u, err := s.users.authenticate(in.User, in.Password)
	if err != nil {
		// Whoever this is has not shown to be in.User, which the trail keeps as a claim of somebody anonymous. The answer is
		// the same whether it does or not; if not, the error is reported.
		return nil, errors.Join(err, otelaudit.TrackLoginFailed(r.Context(), in.User, "password", err))
	}
	actor := u.actor()
	actor.AuthMethod = "password"
	actor = s.sessions.begin(actor)
	if err := otelaudit.TrackLogin(r.Context(), actor, actor.AuthMethod); err != nil {
		s.sessions.end(actor)
		return nil, err
	}
	return session{actor.Session}, nil
}

// logout ends the session whether or not that can be recorded: a trail in trouble must keep nobody logged in.
func (s *api) logout(r *http.Request) (any, error) {
	actor, _ := otelaudit.ActorFromContext(r.Context())
	if actor.Type == otelaudit.ActorAnonymous {
		return nil, errSession
	}
	s.sessions.end(actor)
	if err := otelaudit.TrackLogout(r.Context(), actor); err != nil {
		report(r, err)
	}
	return struct{}{}, nil
}

// impersonate gives an admin a session in which they act for a user. What is done in it has both of them in its record.
func (s *api) impersonate(r *http.Request) (any, error) {
	in, err := read[explanation](r)
	if err != nil {
		return nil, err
	}
	if in.Reason == "" {
		return nil, errBadRequest
	}
	id := r.PathValue("user")
	var actor otelaudit.Actor
	err = do(r.Context(), otelaudit.Activity{
		Action: "user.impersonate",
		Target: otelaudit.Target{Type: "user", ID: id},
		Reason: in.Reason,
	}, "", func(ctx context.Context, a *otelaudit.Activity) error {
		u, ok := s.users.byID[id]
		if !ok {
			return errNotFound
		}
		a.Target.Name = u.name
		admin, _ := otelaudit.ActorFromContext(ctx)
		actor = s.sessions.begin(admin.For(u.actor()))
		return nil
	})
	if err != nil {
		s.sessions.end(actor) // if there is one, it is not recorded
		return nil, err
	}
	return session{actor.Session}, nil
}
