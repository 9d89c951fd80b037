package otelaudit

import "cmp"

// ActorType is what kind of party an [Actor] is.
type ActorType string

// The types of actors. OpenTelemetry's draft knows the first three; anonymous and unknown are recorded as type "user"
// with the id "anonymous" or "unknown".
const (
	ActorUser      ActorType = "user"
	ActorService   ActorType = "service"
	ActorSystem    ActorType = "system"
	ActorAnonymous ActorType = "anonymous" // known to be nobody: not logged in
	ActorUnknown   ActorType = "unknown"   // nobody said who; counted, and refused under Policy.RequireActor
)

func (t ActorType) valid() bool {
	switch t {
	case ActorUser, ActorService, ActorSystem, ActorAnonymous, ActorUnknown:
		return true
	}
	return false
}

// Trust says how well an actor is known.
type Trust uint8

const (
	// TrustDeclared is an actor that code named: the zero value.
	TrustDeclared Trust = iota
	// TrustPropagated is an actor from a signed token of another service.
	TrustPropagated
	// TrustVerified is an actor that authenticating middleware established. Nothing else may say so.
	TrustVerified
)

// String returns the value of the attribute otelaudit.actor.trust.
func (t Trust) String() string {
	switch t {
	case TrustPropagated:
		return "propagated"
	case TrustVerified:
		return "verified"
	default:
		return "declared"
	}
}

// Actor is who acts. OnBehalfOf is whom the actor acts for: an administrator for a customer, a service for a user.
// The zero Actor means "nobody said".
type Actor struct {
	Type       ActorType
	ID         string // opaque and stable, not a name or an e-mail address
	Name       string
	Roles      []string
	Tenant     string // the tenant the actor belongs to, or acts in; of a propagated actor, the token's
	Session    string // recorded only as a SHA-256, so that the table is no list of live sessions
	AuthMethod string // how the actor proved who it is: "password", "oidc", "mtls"
	Trust      Trust
	OnBehalfOf *Actor // at most MaxChain deep; must not be changed once it is in a context
}

// User returns the actor for a person with this opaque, stable id.
func User(id string) Actor { return Actor{Type: ActorUser, ID: id} }

// Service returns the actor for another program.
func Service(id string) Actor { return Actor{Type: ActorService, ID: id} }

// System returns the actor for work nobody asked for in person: a cron job, a migration ("nightly-billing").
func System(name string) Actor { return Actor{Type: ActorSystem, ID: name} }

// Anonymous returns the actor for somebody who is known not to be logged in.
func Anonymous() Actor { return Actor{Type: ActorAnonymous} }

// For returns a acting on behalf of principal. Where a already acts for somebody, principal is appended behind them: the
// chain is nearest first. Neither argument is changed.
func (a Actor) For(principal Actor) Actor {
	if a.OnBehalfOf != nil {
		principal = a.OnBehalfOf.For(principal)
	}
	a.OnBehalfOf = &principal
	return a
}

// ForPropagated returns a, whom a service has authenticated itself, acting on behalf of the actor that another service
// propagated, where allow says that it may: allow is the service's policy, and nil allows nothing. Where both are the same
// party, by type and id, a takes over on whose behalf that party acts. An a without a tenant gets that of propagated. Neither
// argument is changed.
//
// a stays as it is, without allow being asked, where it acts for somebody already, where it is nobody (zero, anonymous,
// unknown), and where propagated has not [TrustPropagated].
func (a Actor) ForPropagated(propagated Actor, allow func(own, propagated Actor) bool) Actor {
	if allow == nil || a.OnBehalfOf != nil || a.isNobody() || propagated.Trust != TrustPropagated || !allow(a, propagated) {
		return a
	}
	if a.Type == propagated.Type && a.ID == propagated.ID {
		a.OnBehalfOf = propagated.OnBehalfOf
	} else {
		principal := propagated // allocated only here
		a.OnBehalfOf = &principal
	}
	a.Tenant = cmp.Or(a.Tenant, propagated.Tenant)
	return a
}

func (a Actor) isNobody() bool {
	return a.IsZero() || a.Type == ActorAnonymous || a.Type == ActorUnknown
}

// IsZero reports whether nobody said who acts.
func (a Actor) IsZero() bool {
	return a.Type == "" && a.ID == "" && a.Name == "" && len(a.Roles) == 0 && a.Tenant == "" &&
		a.Session == "" && a.AuthMethod == "" && a.Trust == TrustDeclared && a.OnBehalfOf == nil
}

// The ids under which nobody is recorded. A user cannot have them.
const (
	anonymousID = "anonymous"
	unknownID   = "unknown"
)
