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
// Any key verifies within its time, give or take [Skew]. Of those that can sign at a time, and may speak for the service, the
// one with the latest NotBefore does; among equals the one that was named first.
type Keyring struct {
	mu   sync.Mutex // held while the ring is changed
	ring atomic.Pointer[ring]

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
func (k *Keyring) Set(keys ...Key) error {
	next, err := newRing(keys)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	next.revoked = k.current().revoked
	k.ring.Store(next)
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
// an error leaves the keyring as it was.
func (k *Keyring) Reload(ctx context.Context, load KeyLoader) error {
	keys, revoked, err := load(ctx)
	if len(revoked) > 0 {
		k.Revoke(revoked...)
	}
	if err != nil {
		return err
	}
	return k.Set(keys...)
}

// Watch reloads the keys again and again, until ctx is done: then it returns nil. A load that fails leaves the keyring as it
// was; its error goes to [otel.Handle]. The first one comes after the first interval: call [Keyring.Reload] at start-up, where
// an error can stop it.
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
		if err := k.Reload(ctx, load); err != nil && ctx.Err() == nil {
			otel.Handle(fmt.Errorf("propagation: the keys were not reloaded: %w", err))
		}
	}
}

func (k *Keyring) current() *ring {
	if r := k.ring.Load(); r != nil {
		return r
	}
	return &emptyRing
}

func newRing(keys []Key) (*ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("propagation: no keys: a keyring keeps at least one; to trust one no more, revoke it")
	}
	r := &ring{keys: make(map[string]*Key, len(keys))}
	for _, key := range keys {
		if err := key.validate(); err != nil {
			return nil, err
		}
		if r.keys[key.ID] != nil {
			return nil, fmt.Errorf("propagation: two keys have the id %s", key.ID)
		}
		key.Issuers = slices.Clone(key.Issuers)
		r.keys[key.ID] = &key
		if key.sign != nil {
			r.signers = append(r.signers, &key)
		}
	}
	slices.SortStableFunc(r.signers, func(a, b *Key) int { return b.NotBefore.Compare(a.NotBefore) })
	return r, nil
}

// signer returns the key that signs what issuer sends at this time, nil where there is none.
func (r *ring) signer(issuer string, now time.Time) *Key {
	for _, key := range r.signers {
		if key.signsAt(now, issuer) && !r.revoked[key.ID] {
			return key
		}
	}
	return nil
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
