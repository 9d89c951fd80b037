package propagation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
)

// Keyring holds the keys with which tokens are signed and verified. It is safe for concurrent use, and so are its changes
// while requests are served: who reads sees all of a change or nothing of it.
//
// Any key verifies within its time, give or take [Skew]. Of those that can sign at a time, and may speak for the service, one
// signs that names the audience, or else one that names none; of several the one with the latest NotBefore, and among equals
// the one that was named first.
type Keyring struct {
	mu   sync.Mutex // held while the ring is changed
	ring atomic.Pointer[ring]

	loads atomic.Uint64 // numbers loads in the order in which they begin
	set   uint64        // the load that the ring's keys are of; guarded by mu

	verified cache[*verified]
	issued   cache[issued]
}

// ring is the state of a Keyring. It is never changed.
type ring struct {
	keys    map[string]*Key
	signers []*Key          // the latest NotBefore first
	revoked map[string]bool // by id, be they in keys or not
}

var emptyRing ring

// NewKeyring returns a keyring with these keys. Without any it signs and accepts nothing until [Keyring.Set] or
// [Keyring.Reload]. An error names the key that is wrong.
func NewKeyring(keys ...Key) (*Keyring, error) {
	k := &Keyring{}
	if len(keys) == 0 {
		return k, nil
	}
	return k, k.Set(keys...)
}

// Set replaces all keys. Tokens signed with a key that is not among them are refused from now on, so rotation keeps the old
// key beside the new one for as long as its tokens live. An error names the key that is wrong, and leaves the keyring as it
// was.
func (k *Keyring) Set(keys ...Key) error { return k.setOf(k.loads.Add(1), keys) }

// setOf is Set with the keys of a load, unless those of a later one are there.
func (k *Keyring) setOf(load uint64, keys []Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, err := newRing(keys, k.current())
	if err != nil || load < k.set {
		return err
	}
	k.ring.Store(next)
	k.set = load
	return nil
}

// Revoke is the kill switch: from now on no token with these key ids is accepted, whether it was verified before or not, and
// none is signed with them. It lasts as long as the process, also when the keys are set or loaded again.
func (k *Keyring) Revoke(ids ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := *k.current()
	next.revoked = maps.Clone(next.revoked)
	if next.revoked == nil {
		next.revoked = make(map[string]bool, len(ids))
	}
	for _, id := range ids {
		next.revoked[id] = true
	}
	k.ring.Store(&next)
}

// Reload revokes and sets what load returns. Revoked are the keys that it names also where its keys are wrong; for the rest,
// an error leaves the keyring as it was. So does a load that ends when the keys of one that began later are there: what it
// brings is old, and only revokes.
func (k *Keyring) Reload(ctx context.Context, load KeyLoader) error {
	number := k.loads.Add(1)
	keys, revoked, err := load(ctx)
	if len(revoked) > 0 {
		k.Revoke(revoked...)
	}
	if err != nil {
		return err
	}
	return k.setOf(number, keys)
}

// Watch reloads the keys again and again, until ctx is done: then it returns nil. A load that fails leaves the keyring as it
// was; its error goes to [otel.Handle]. Each has the interval's time, but at least a second, and then its context ends. The
// first one comes after the first interval: call [Keyring.Reload] at start-up, where an error can stop it.
func (k *Keyring) Watch(ctx context.Context, every time.Duration, load KeyLoader) error {
	if every <= 0 {
		return errors.New("propagation: Watch needs an interval above zero")
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := k.reloadWithin(ctx, max(every, time.Second), load); err != nil && ctx.Err() == nil {
			otel.Handle(fmt.Errorf("propagation: the keys were not reloaded: %w", err))
		}
	}
}

func (k *Keyring) reloadWithin(ctx context.Context, limit time.Duration, load KeyLoader) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return k.Reload(ctx, load)
}

func (k *Keyring) current() *ring {
	if r := k.ring.Load(); r != nil {
		return r
	}
	return &emptyRing
}

// newRing returns the ring of these keys that follows old. A key that has not changed is old's, so that what was verified
// and issued with it stays in the caches.
func newRing(keys []Key, old *ring) (*ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("propagation: no keys: a keyring keeps at least one; to trust one no more, revoke it")
	}
	r := &ring{keys: make(map[string]*Key, len(keys)), revoked: old.revoked}
	for _, key := range keys {
		if err := key.validate(); err != nil {
			return nil, err
		}
		if r.keys[key.ID] != nil {
			return nil, fmt.Errorf("propagation: two keys have the id %s", key.ID)
		}
		key.Issuers, key.Audiences = slices.Clone(key.Issuers), slices.Clone(key.Audiences)
		kept := &key
		if before := old.keys[key.ID]; before != nil && before.equal(kept) {
			kept = before
		}
		r.keys[key.ID] = kept
		if key.sign != nil {
			r.signers = append(r.signers, kept)
		}
	}
	slices.SortStableFunc(r.signers, func(a, b *Key) int { return b.NotBefore.Compare(a.NotBefore) })
	return r, nil
}

// signer returns the key that signs what issuer sends to audience at this time, nil where there is none.
func (r *ring) signer(issuer, audience string, now time.Time) *Key {
	var forAll *Key
	for _, key := range r.signers {
		switch {
		case r.revoked[key.ID] || !key.signsAt(now, issuer):
		case slices.Contains(key.Audiences, audience):
			return key
		case forAll == nil && len(key.Audiences) == 0:
			forAll = key
		}
	}
	return forAll
}

// verifier returns the key with this id, if it may verify at this time.
func (r *ring) verifier(id string, now time.Time) (*Key, Rejection) {
	key := r.keys[id]
	switch {
	case r.revoked[id]:
		return nil, RejectionRevokedKey
	case key == nil:
		return nil, RejectionUnknownKey
	case !key.validAt(now, Skew):
		return nil, RejectionKeyNotValid
	}
	return key, ""
}

// String names the keys and what is revoked: nothing secret.
func (k *Keyring) String() string {
	r := k.current()
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(r.keys)) {
		parts = append(parts, r.keys[id].String())
	}
	for _, id := range slices.Sorted(maps.Keys(r.revoked)) {
		parts = append(parts, "revoked "+id)
	}
	return "keyring [" + strings.Join(parts, ", ") + "]"
}

// GoString implements [fmt.GoStringer] with [Keyring.String].
func (k *Keyring) GoString() string { return k.String() }

// Format implements [fmt.Formatter] with [Keyring.String], whatever the verb.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText implements [encoding.TextMarshaler] with [Keyring.String], and so is its JSON.
func (k *Keyring) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements [slog.LogValuer] with [Keyring.String].
func (k *Keyring) LogValue() slog.Value { return slog.StringValue(k.String()) }
