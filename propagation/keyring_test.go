package propagation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
		require.Equal(t, test.want, k.current().signer(test.issuer, "orders", testTime.Add(test.at)).ID, "%v %s", test.at, test.issuer)
	}
	k.Revoke("first")
	require.Equal(t, "orders", k.current().signer("orders", "orders", testTime).ID)
	require.Equal(t, "always", k.current().signer("edge", "orders", testTime).ID)
}

// A key for an audience goes before those for all, and signs for no other.
func TestWhoSignsForAnAudience(t *testing.T) {
	t.Parallel()
	key := func(key Key, from time.Duration, audiences ...string) Key {
		key.NotBefore, key.Audiences = testTime.Add(from), audiences
		return key
	}
	k := keyring(t,
		key(ed25519Key(t, "shop-1"), -2*time.Hour, "shop"), key(ed25519Key(t, "shop-2"), -time.Hour, "bank", "shop"),
		key(ed25519Key(t, "shop-3"), time.Hour, "shop"), key(hmacKey(t, "group"), 0),
	)
	for _, test := range []struct {
		audience, want string
		at             time.Duration
	}{
		{"shop", "shop-2", 0},
		{"shop", "shop-3", time.Hour},
		{"shop", "shop-1", -2 * time.Hour},
		{"bank", "shop-2", time.Hour},
		{"orders", "group", 0},
		{"", "group", 0},
	} {
		c := exampleClaims()
		c.audience = test.audience
		require.Equal(t, test.want, k.current().signer("edge", test.audience, testTime.Add(test.at)).ID, "%v", test)
		if test.audience == "" {
			continue
		}
		token, err := k.issue(c, testTime.Add(test.at))
		require.NoError(t, err)
		require.Contains(t, token, "r1."+test.want+".")
		sealed, err := k.seal(nil, c, testTime.Add(test.at))
		require.NoError(t, err)
		require.Contains(t, string(sealed), "r1."+test.want+".")
	}
	k.Revoke("shop-2")
	require.Equal(t, "shop-1", k.current().signer("edge", "shop", testTime).ID)
	require.Equal(t, "group", k.current().signer("edge", "bank", testTime).ID)
	k.Revoke("group")
	require.Nil(t, k.current().signer("edge", "orders", testTime))

	// It verifies what is for others.
	shop := key(ed25519Key(t, "shop-1"), 0)
	token, err := shop.seal(nil, exampleClaims())
	require.NoError(t, err)
	_, rejection := k.open(string(token), kindRequest, testTime)
	require.Empty(t, rejection)
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

// What is revoked counts, be the rest of the load right or wrong.
func TestReloadRevokesAllTheSame(t *testing.T) {
	t.Parallel()
	broken := errors.New("no connection")
	k := keyring(t, hmacKey(t, "k1"))
	require.ErrorIs(t, k.Reload(t.Context(), func(context.Context) ([]Key, []string, error) { return nil, []string{"k1"}, broken }), broken)
	require.Equal(t, "keyring [key k1 (HMAC-SHA256), revoked k1]", k.String())

	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"keys": [{"kty": "oct", "kid": "k2", "k": "AAAA"}], "revoked": ["k1"]}`), 0o600))
	k = keyring(t, hmacKey(t, "k1"))
	require.ErrorContains(t, k.Reload(t.Context(), KeysFromFile(path)), "the secret has 3 bytes")
	require.Equal(t, "keyring [key k1 (HMAC-SHA256), revoked k1]", k.String())
}

// A load that began before another one, or before Set, and ends after it, only revokes.
func TestReloadIsNotOvertaken(t *testing.T) {
	t.Parallel()
	loaded := func(key Key, meanwhile func()) KeyLoader {
		return func(context.Context) ([]Key, []string, error) {
			meanwhile()
			return []Key{key}, []string{"gone-" + key.ID}, nil
		}
	}
	for name, test := range map[string]struct {
		meanwhile func(k *Keyring) error
		want      string
	}{
		"a newer load": {
			func(k *Keyring) error { return k.Reload(t.Context(), loaded(hmacKey(t, "new"), func() {})) },
			"keyring [key new (HMAC-SHA256), revoked gone-new, revoked gone-old]",
		},
		"Set": {
			func(k *Keyring) error { return k.Set(hmacKey(t, "new")) },
			"keyring [key new (HMAC-SHA256), revoked gone-old]",
		},
		"a newer load that fails": {
			func(k *Keyring) error {
				require.Error(t, k.Reload(t.Context(), loaded(Key{ID: "new"}, func() {})))
				return nil
			},
			"keyring [key old (HMAC-SHA256), revoked gone-new, revoked gone-old]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyring(t, hmacKey(t, "first"))
			require.NoError(t, k.Reload(t.Context(), loaded(hmacKey(t, "old"), func() { require.NoError(t, test.meanwhile(k)) })))
			require.Equal(t, test.want, k.String())
		})
	}
}

// What was issued and verified is kept with a key that a load brings again, and only with one that is the same in all.
func TestReloadKeepsTheCaches(t *testing.T) {
	t.Parallel()
	limited := func(key Key) Key {
		key.NotBefore, key.NotAfter = testTime, testTime.Add(time.Hour)
		key.Issuers, key.Audiences = []string{"edge"}, []string{"orders"}
		return key
	}
	file := func(secret string) string {
		return `{"keys": [{"kty": "oct", "kid": "k1", "k": "` + encoding.EncodeToString(secretOf(secret)) + `", "nbf": 1800000000, "iss": ["edge"]}]}`
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, []byte(file("k1")), 0o600))
	k := keyring(t)
	require.NoError(t, k.Reload(t.Context(), KeysFromFile(path)))
	token, err := k.issue(exampleClaims(), testTime)
	require.NoError(t, err)
	v, rejection := k.open(token, kindRequest, testTime)
	require.Empty(t, rejection)

	require.NoError(t, k.Reload(t.Context(), KeysFromFile(path)))
	again, err := k.issue(exampleClaims(), testTime)
	require.NoError(t, err)
	require.Equal(t, token, again)
	hit, rejection := k.open(token, kindRequest, testTime)
	require.Empty(t, rejection)
	require.Same(t, v, hit)

	require.NoError(t, os.WriteFile(path, []byte(file("another")), 0o600))
	require.NoError(t, k.Reload(t.Context(), KeysFromFile(path)))
	require.Equal(t, RejectionSignature, refused(t, k, token, kindRequest, testTime))
	again, err = k.issue(exampleClaims(), testTime)
	require.NoError(t, err)
	require.NotEqual(t, token, again)

	for name, made := range map[string]func() Key{
		"HMAC":           func() Key { return limited(hmacKey(t, "k")) },
		"Ed25519":        func() Key { return limited(ed25519Key(t, "k")) },
		"Ed25519 public": func() Key { return limited(publicKey(t, "k", "edge")) },
	} {
		k := keyring(t, made())
		before := k.current().keys["k"]
		require.NoError(t, k.Set(made()))
		require.Same(t, before, k.current().keys["k"], name)
		for what, change := range map[string]func(*Key){
			"NotBefore": func(key *Key) { key.NotBefore = testTime.Add(1) },
			"NotAfter":  func(key *Key) { key.NotAfter = time.Time{} },
			"Issuers":   func(key *Key) { key.Issuers = []string{"edge", "orders"} },
			"Audiences": func(key *Key) { key.Audiences = nil },
			"secret":    func(key *Key) { *key = limited(hmacKey(t, "other")); key.ID = "k" },
			"seed":      func(key *Key) { *key = limited(ed25519Key(t, "other")); key.ID = "k" },
			"public":    func(key *Key) { *key = limited(publicKey(t, "other", "edge")); key.ID = "k" },
		} {
			k := keyring(t, made())
			before, changed := k.current().keys["k"], made()
			change(&changed)
			require.NoError(t, k.Set(changed))
			require.NotSame(t, before, k.current().keys["k"], "%s: %s", name, what)
		}
	}
	k = keyring(t, ed25519Key(t, "k"))
	require.NoError(t, k.Set(publicKey(t, "k", "edge")))
	require.Nil(t, k.current().signer("edge", "orders", testTime), "the private half is gone")
}

// Not even a load that hangs until its context ends keeps Watch from the next one.
func TestWatchEndsLoads(t *testing.T) { //nolint:paralleltest // OTel's error handler is one for all
	var reported []error
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(handler(func(err error) { reported = append(reported, err) }))
	defer otel.SetErrorHandler(before)

	for _, test := range []struct{ every, limit time.Duration }{{time.Minute, time.Minute}, {time.Millisecond, time.Second}} {
		reported = nil
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			k := keyring(t, hmacKey(t, "k0"))
			var took time.Duration
			loads := 0
			load := func(ctx context.Context) ([]Key, []string, error) {
				if loads++; loads == 1 {
					start := time.Now()
					<-ctx.Done()
					took = time.Since(start)
					return nil, nil, ctx.Err()
				}
				cancel()
				return []Key{hmacKey(t, "k1")}, nil, nil
			}
			require.NoError(t, k.Watch(ctx, test.every, load))
			require.Equal(t, test.limit, took)
			require.Equal(t, "keyring [key k1 (HMAC-SHA256)]", k.String())
		})
		require.Len(t, reported, 1)
		require.ErrorIs(t, reported[0], context.DeadlineExceeded)
	}
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
