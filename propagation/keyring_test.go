package propagation

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
)

func TestKeyringRefuses(t *testing.T) {
	t.Parallel()
	backwards, broken, nameless := hmacKey(t, "k2"), hmacKey(t, "k2"), hmacKey(t, "k2")
	backwards.NotBefore, backwards.NotAfter = testTime, testTime
	broken.Issuers = []string{"a\nb"}
	nameless.ID = "no name"
	public := publicKey(t, "k2", "partner")
	public.Issuers = nil

	k := keyring(t, hmacKey(t, "k1"))
	for want, keys := range map[string][]Key{
		"no keys: a keyring keeps at least one": {},
		"two keys have the id k2":               {hmacKey(t, "k2"), ed25519Key(t, "k2")},
		"key k2 is empty: make it with HMACKey": {{ID: "k2"}},
		"a key id is 1 to 32":                   {nameless},
		"key k2: NotAfter is not after":         {backwards},
		"key k2: an issuer is":                  {broken},
		"key k2: a public key needs":            {public},
	} {
		require.ErrorContains(t, k.Set(keys...), want)
		require.Equal(t, "keyring [key k1 (HMAC-SHA256)]", k.String(), "it is as it was")
		if len(keys) > 0 {
			_, err := NewKeyring(keys...)
			require.ErrorContains(t, err, want)
		}
	}
}

func TestWhoSigns(t *testing.T) {
	t.Parallel()
	key := func(id string, from, to time.Duration, issuers ...string) Key {
		k := hmacKey(t, id)
		k.NotBefore, k.NotAfter, k.Issuers = testTime.Add(from), testTime.Add(to), issuers
		return k
	}
	k := keyring(t,
		hmacKey(t, "always"), hmacKey(t, "always-2"), publicKey(t, "public", "edge"),
		key("first", 0, time.Hour), key("second", 50*time.Minute, 2*time.Hour), key("orders", 0, time.Hour, "orders"),
	)
	k.Revoke("nobody")
	for _, test := range []struct {
		at     time.Duration
		issuer string
		want   string
	}{
		{-1, "edge", "always"},
		{0, "edge", "first"},
		{0, "orders", "first"},
		{50*time.Minute - 1, "edge", "first"},
		{50 * time.Minute, "edge", "second"},
		{2 * time.Hour, "edge", "second"},
		{2*time.Hour + 1, "edge", "always"},
	} {
		require.Equal(t, test.want, k.current().signer(test.issuer, testTime.Add(test.at)).ID, "%v %s", test.at, test.issuer)
	}
	k.Revoke("first")
	require.Equal(t, "orders", k.current().signer("orders", testTime).ID)
	require.Equal(t, "always", k.current().signer("edge", testTime).ID)
}

// The caller's slices and keys are not the keyring's.
func TestSetCopies(t *testing.T) {
	t.Parallel()
	keys := []Key{publicKey(t, "partner", "partner")}
	k := keyring(t, keys...)
	keys[0].Issuers[0] = "edge"
	require.True(t, k.current().keys["partner"].speaksFor("partner"))
	require.False(t, k.current().keys["partner"].speaksFor("edge"))
}

func TestReload(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	require.ErrorIs(t, func() error { _, err := k.issue(exampleClaims(), testTime); return err }(), ErrNoKey)

	loaded := func(keys []Key, revoked []string, err error) KeyLoader {
		return func(context.Context) ([]Key, []string, error) { return keys, revoked, err }
	}
	require.NoError(t, k.Reload(t.Context(), loaded([]Key{hmacKey(t, "k1"), hmacKey(t, "k2")}, []string{"k2"}, nil)))
	require.Equal(t, "keyring [key k1 (HMAC-SHA256), key k2 (HMAC-SHA256), revoked k2]", k.String())

	broken := errors.New("no connection")
	require.ErrorIs(t, k.Reload(t.Context(), loaded(nil, nil, broken)), broken)
	require.ErrorContains(t, k.Reload(t.Context(), loaded(nil, nil, nil)), "no keys")
	require.Equal(t, "keyring [key k1 (HMAC-SHA256), key k2 (HMAC-SHA256), revoked k2]", k.String())

	require.ErrorContains(t, k.Reload(t.Context(), loaded([]Key{{ID: "k3"}}, []string{"k1"}, nil)), "key k3 is empty")
	require.NoError(t, k.Set(hmacKey(t, "k1")))
	require.Equal(t, "keyring [key k1 (HMAC-SHA256), revoked k1, revoked k2]", k.String(), "what is revoked stays so")
}

type handler func(error)

func (h handler) Handle(err error) { h(err) }

func TestWatch(t *testing.T) { //nolint:paralleltest // OTel's error handler is one for all
	var reported []error
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(handler(func(err error) { reported = append(reported, err) }))
	defer otel.SetErrorHandler(before)

	synctest.Test(t, func(t *testing.T) {
		k := keyring(t, hmacKey(t, "k0"))
		ctx, cancel := context.WithCancel(t.Context())
		loads := 0
		load := func(context.Context) ([]Key, []string, error) {
			loads++
			switch loads {
			case 2:
				return nil, nil, errors.New("no connection")
			case 4:
				cancel()
				return nil, nil, ctx.Err() // is no failure
			}
			return []Key{hmacKey(t, fmt.Sprintf("k%d", loads))}, nil, nil
		}
		done := make(chan error)
		go func() { done <- k.Watch(ctx, time.Minute, load) }()
		for _, want := range []string{"k0", "k1", "k1", "k3"} {
			synctest.Wait()
			require.Equal(t, "keyring [key "+want+" (HMAC-SHA256)]", k.String())
			<-time.After(time.Minute)
		}
		require.NoError(t, <-done)
		require.ErrorContains(t, k.Watch(t.Context(), 0, load), "an interval above zero")
	})
	require.Len(t, reported, 1)
	require.ErrorContains(t, reported[0], "the keys were not reloaded: no connection")
}

// 64 goroutines seal and open while keys are rotated; each token opens, since its key stays for another round. A revoked key
// opens nothing from the moment that Revoke has returned, also where it was verified a moment ago.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	bad := hmacKey(t, "bad")
	k := keyring(t, bad, hmacKey(t, "k0"))
	k.Revoke("gone")
	stolen := sealed(t, k, exampleClaims())

	const goroutines, rounds = 64, 20
	var (
		revoked, done atomic.Bool
		workers       sync.WaitGroup
	)
	var rounded [goroutines]atomic.Int64 // how often each has come round
	for i := range goroutines {
		workers.Go(func() {
			for n := 0; !done.Load(); n++ {
				c := exampleClaims()
				c.operation = fmt.Sprintf("op-%d-%d", i, n%4)
				token, err := k.issue(c, testTime)
				if err != nil {
					t.Error(err)
				}
				if _, rejection := k.open(token, kindRequest, testTime); rejection != "" {
					t.Errorf("a token of this moment: %s", rejection)
				}
				before := revoked.Load()
				if _, rejection := k.open(stolen, kindRequest, testTime); before && rejection != RejectionRevokedKey {
					t.Errorf("after Revoke: %q", rejection)
				}
				rounded[i].Add(1)
				runtime.Gosched()
			}
		})
	}
	// A token that was sealed before this is called was opened when it returns.
	await := func() {
		for i := range rounded {
			for before := rounded[i].Load(); rounded[i].Load() < before+2; {
				runtime.Gosched()
			}
		}
	}
	for round := range rounds {
		keys := []Key{hmacKey(t, fmt.Sprintf("k%d", round)), hmacKey(t, fmt.Sprintf("k%d", round+1)), bad}
		keys[1].NotBefore = testTime.Add(-time.Duration(rounds-round) * time.Second)
		if err := k.Set(keys...); err != nil {
			t.Error(err)
		}
		if round == rounds/2 {
			k.Revoke("bad")
			revoked.Store(true)
		}
		await()
	}
	done.Store(true)
	workers.Wait()
	require.Equal(t, RejectionRevokedKey, refused(t, k, stolen, kindRequest, testTime))
}
