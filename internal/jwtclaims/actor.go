package jwtclaims

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Reader makes actors of claims.
type Reader struct {
	Trust      otelaudit.Trust                                 // of every party
	AuthMethod string                                          // of the actor: who presented the token, not of those in it
	TypeOf     func(claims map[string]any) otelaudit.ActorType // may be nil, and may return "": then a rule says the type
}

// Actor returns the actor that claims name, as audithttp.ActorFromClaims describes it.
func (r Reader) Actor(claims map[string]any) (otelaudit.Actor, error) {
	token, err := readParty(claims, "")
	if err != nil {
		return otelaudit.Actor{}, err
	}
	acts, err := readActs(claims)
	if err != nil {
		return otelaudit.Actor{}, err
	}
	a := r.actorOf(token, token)
	for _, act := range slices.Backward(acts) {
		a = r.actorOf(act, token).For(a)
	}
	a.AuthMethod = r.AuthMethod
	return a, nil
}

// actorOf returns p, a party of token, as an actor.
func (r Reader) actorOf(p, token party) otelaudit.Actor {
	a := otelaudit.Actor{
		ID:      cmp.Or(p.sub, p.client()),
		Name:    p.name,
		Session: p.sid,
		Trust:   r.Trust,
	}
	foreign := p.iss != "" && p.iss != token.iss
	if r.TypeOf != nil {
		a.Type = r.TypeOf(p.claims)
	}
	switch {
	case a.Type != "":
	case p.sub == "", p.sub == p.client(), !foreign && p.sub == token.client(), strings.Contains(p.sub, "://"):
		a.Type = otelaudit.ActorService
	default:
		a.Type = otelaudit.ActorUser
	}
	if foreign {
		a.ID = p.iss + "#" + a.ID
	}
	return a
}
