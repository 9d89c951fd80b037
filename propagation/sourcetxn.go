package propagation

import (
	"errors"
	"fmt"

	"github.com/rj-gamer/go-activity-tracker/internal/jwtclaims"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// TransactionToken returns the source for OAuth transaction tokens (draft-ietf-oauth-transaction-tokens), which a service
// within one trust domain requests for a transaction, and which then travel unchanged along the calls:
//
//   - sub is who the transaction is for, and act, if there is one, who acts for them, as in [JWT].
//   - req_wl is the workload that requested the token: the actor, on behalf of these. Where it is sub itself, as in a
//     job of its own, it acts for nobody. Earlier drafts have a list: the workload that replaced the token last is the
//     last one in it, on behalf of those before.
//   - txn is the operation.
//   - scope, or else the earlier drafts' purp, is the reason.
//   - rctx.authn is how the one for whom req_wl acts had authenticated: an AuthMethod.
//
// The parties are [otelaudit.TrustPropagated], for the token authenticates nobody who presents it: whoever is on the way
// can. So it is no substitute for the service's own authentication of its caller. The actor's AuthMethod is
// "transaction_token".
//
// Refused is a token without txn, sub or req_wl, and one with more than [otelaudit.MaxChain] parties behind the actor.
func TransactionToken() Source { return SourceFunc(readTransaction) }

func readTransaction(c map[string]any) (Identity, error) {
	txn, err := requiredText(c, "txn")
	if err != nil {
		return Identity{}, err
	}
	if _, err := requiredText(c, "sub"); err != nil {
		return Identity{}, err
	}
	reason, err := text(c, "scope")
	if err == nil && reason == "" {
		reason, err = text(c, "purp")
	}
	if err != nil {
		return Identity{}, err
	}
	workloads, err := requesters(c)
	if err != nil {
		return Identity{}, err
	}
	method, err := authn(c)
	if err != nil {
		return Identity{}, err
	}
	a, err := jwtclaims.Reader{Trust: otelaudit.TrustPropagated, AuthMethod: method}.Actor(c)
	if err != nil {
		return Identity{}, err
	}
	for _, id := range workloads {
		if id == a.ID {
			a.Type = otelaudit.ActorService // the same party, and its own requester: a workload
			continue
		}
		a = otelaudit.Actor{Type: otelaudit.ActorService, ID: id, Trust: otelaudit.TrustPropagated}.For(a)
	}
	if behind(a) > otelaudit.MaxChain {
		return Identity{}, fmt.Errorf("claims req_wl and act name more than %d parties", otelaudit.MaxChain+1)
	}
	a.AuthMethod = "transaction_token"
	return Identity{Actor: a, Operation: txn, Reason: reason}, nil
}

// behind is how many parties a acts for.
func behind(a otelaudit.Actor) (n int) {
	for p := a.OnBehalfOf; p != nil; p = p.OnBehalfOf {
		n++
	}
	return n
}

// requesters returns the workloads of req_wl, the last one to request a token last.
func requesters(c map[string]any) ([]string, error) {
	list, ok := c["req_wl"].([]any)
	if !ok {
		one, err := requiredText(c, "req_wl")
		return []string{one}, err
	}
	if len(list) == 0 || len(list) > otelaudit.MaxChain {
		return nil, fmt.Errorf("claim req_wl names %d workloads: want 1 to %d", len(list), otelaudit.MaxChain)
	}
	ids := make([]string, len(list))
	for i, value := range list {
		if ids[i], ok = value.(string); !ok || ids[i] == "" {
			return nil, fmt.Errorf("claim req_wl[%d] is not a name", i)
		}
	}
	return ids, nil
}

// authn returns rctx.authn, or "".
func authn(c map[string]any) (string, error) {
	value, ok := c["rctx"]
	if !ok {
		return "", nil
	}
	rctx, ok := value.(map[string]any)
	if !ok {
		return "", fmt.Errorf("claim rctx is %T, not an object", value)
	}
	method, err := text(rctx, "authn")
	if err != nil {
		return "", fmt.Errorf("in rctx: %w", err)
	}
	return method, nil
}

// text returns the claim name, or "" where it is missing.
func text(c map[string]any, name string) (string, error) {
	value, ok := c[name]
	if !ok {
		return "", nil
	}
	s, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("claim %s is %T, not a string", name, value)
	}
	return s, nil
}

func requiredText(c map[string]any, name string) (string, error) {
	s, err := text(c, name)
	if err == nil && s == "" {
		err = errors.New("claim " + name + " is missing or empty")
	}
	return s, err
}
