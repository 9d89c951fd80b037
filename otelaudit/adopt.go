package otelaudit

import "cmp"

// Adopt applies the policy to a record that was made elsewhere, such as one that [ParseRecord] read from a log record of the
// application's own: what Record would refuse, Adopt refuses, and what the policy ignores, it reports as false. The actor
// keeps what is said of it but the trust: only middleware and verified tokens give more than TrustDeclared.
func (rc *Recorder) Adopt(r *Record) (bool, error) {
	now := rc.policy.Now()
	for a := &r.Actor; a != nil; a = a.OnBehalfOf {
		a.Trust = TrustDeclared
	}
	a := Activity{Action: r.Action, Actor: r.Actor, Outcome: r.Outcome, Tenant: r.Tenant, Time: r.Time, ID: r.ID}
	if _, _, err := rc.check(&emptyScope, &a, now); err != nil {
		return false, err
	}
	r.Tenant = cmp.Or(r.Tenant, r.Actor.Tenant) // as for an activity
	if rc.Ignores(r.Action) {
		rc.ignored.Add(1)
		return false, nil
	}
	if r.Actor.Type == ActorUnknown {
		rc.unknown.Add(1)
	}
	if r.Time.After(micros(now)) {
		rc.ahead.Add(1)
	}
	return true, nil
}

// Size is about how many bytes the record takes, without its resource and before any escaping; at most MaxRecordBytes.
func (r *Record) Size() int { return r.size() }
