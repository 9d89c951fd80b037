package main

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// sessions are the logins that are valid now, each an actor under a token that only the client has besides us.
type sessions struct {
	mu      sync.Mutex // guards what follows
	byToken map[string]otelaudit.Actor
}

func newSessions() *sessions { return &sessions{byToken: map[string]otelaudit.Actor{}} }

// begin returns the actor of a new session. Its Session is the token; the trail records no more than a hash of it, by which
// the activities of one login can be found.
func (s *sessions) begin(a otelaudit.Actor) otelaudit.Actor {
	a.Session = rand.Text()
	a.Trust = otelaudit.TrustVerified // the password was right, or an admin's session was
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byToken[a.Session] = a
	return a
}

func (s *sessions) end(a otelaudit.Actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byToken, a.Session)
}

// actor is what the middleware asks for each request. Nothing that the client says about who it is counts, but the token.
func (s *sessions) actor(r *http.Request) (otelaudit.Actor, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return otelaudit.Actor{}, nil // the middleware makes that anonymous
	}
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return otelaudit.Actor{}, errSession
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.byToken[token]
	if !ok {
		return otelaudit.Actor{}, errSession // the middleware answers 401
	}
	return a, nil
}
