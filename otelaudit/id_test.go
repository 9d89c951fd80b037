package otelaudit_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// The ids that any implementation must derive: made with Python's hashlib from "otelaudit:LENGTH:NAMESPACE:KEY".
func TestDeriveIDGolden(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ namespace, key, want string }{
		{"", "", "3fa5f0d3-b4ac-8d6d-85ed-8c9589ad0c84"},
		{"cloudtrail", "event-1", "0c181c1e-ddc6-8792-b81a-acae69532768"},
		{"a:b", "c", "f336b444-1c26-88fe-9467-33f13f1cb605"},
		{"a", "b:c", "04375f82-74c5-821b-ad77-251b50cd95ca"},
		{"acme/imports", "Ünïcode №42", "1ec6bcca-9793-84e6-81e3-38ad72b383c5"},
		{"x", "\x00\xff", "1e76aa03-0a12-8d13-9fa5-dadce145a40f"},
	} {
		id := otelaudit.DeriveID(tc.namespace, tc.key)
		require.Equal(t, tc.want, id.String(), "%q, %q", tc.namespace, tc.key)
		require.Equal(t, id, otelaudit.DeriveID(tc.namespace, tc.key))
		_, carriesTime := id.Time()
		require.False(t, carriesTime)
	}
}

func TestDeriveIDTellsNamespacesApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ns1, ns2 := rapid.String().Draw(t, "ns1"), rapid.String().Draw(t, "ns2")
		key1, key2 := rapid.String().Draw(t, "key1"), rapid.String().Draw(t, "key2")
		same := ns1 == ns2 && key1 == key2
		require.Equal(t, same, otelaudit.DeriveID(ns1, key1) == otelaudit.DeriveID(ns2, key2))
	})
}

func TestIDText(t *testing.T) {
	t.Parallel()
	const text = "0190a5f8-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
	id, err := otelaudit.ParseID(strings.ToUpper(text))
	require.NoError(t, err)
	require.Equal(t, text, id.String())
	at, ok := id.Time()
	require.True(t, ok)
	require.Equal(t, int64(0x0190a5f81c2d), at.UnixMilli())
	require.Equal(t, time.UTC, at.Location())

	marshaled, err := id.MarshalText()
	require.NoError(t, err)
	require.Equal(t, text, string(marshaled))
	appended, err := id.AppendText([]byte("id="))
	require.NoError(t, err)
	require.Equal(t, "id="+text, string(appended))
	var back otelaudit.ID
	require.NoError(t, back.UnmarshalText(marshaled))
	require.Equal(t, id, back)
	require.Error(t, back.UnmarshalText([]byte("x")))
	require.Equal(t, id, back, "what cannot be read changes nothing")

	require.True(t, otelaudit.ID{}.IsZero())
	require.False(t, id.IsZero())
	for _, wrong := range []string{
		"", text[1:], text + "0", "{" + text[1:35] + "}", strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", "_"),
		"g" + text[1:], text[:8] + "0" + text[9:], "0190a5f8-1c2d-7e3f-8a4b-5c6d7e8f9a0\n", strings.Repeat("x", 1<<20),
	} {
		_, err := otelaudit.ParseID(wrong)
		require.Error(t, err)
		require.Less(t, len(err.Error()), 300)
	}
}

// newIDs tracks n activities and returns their ids in order.
func newIDs(t *testing.T, rc *otelaudit.Recorder, n int) []otelaudit.ID {
	t.Helper()
	ids := make([]otelaudit.ID, n)
	var r otelaudit.Record
	for i := range ids {
		if _, err := rc.Record(t.Context(), &otelaudit.Activity{Action: "a.create"}, &r); err != nil {
			t.Error(err)
		}
		ids[i] = r.ID
	}
	return ids
}

func compareIDs(a, b otelaudit.ID) int { return strings.Compare(string(a[:]), string(b[:])) }

func requireAscending(t *testing.T, ids []otelaudit.ID) {
	t.Helper()
	for i := 1; i < len(ids); i++ {
		require.Negative(t, compareIDs(ids[i-1], ids[i]), "id %d", i)
	}
}

func TestIDsAscend(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := noon
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	require.NoError(t, err)

	ids := newIDs(t, rc, 10_000) // more in one millisecond than its sequence numbers
	for _, id := range ids {
		require.Equal(t, byte(0x70), id[6]&0xf0)
		require.Equal(t, byte(0x80), id[8]&0xc0)
	}
	at, ok := ids[0].Time()
	require.True(t, ok)
	require.Equal(t, noon, at)
	at, _ = ids[len(ids)-1].Time()
	require.Less(t, at.Sub(noon), 5*time.Millisecond, "they run ahead of the clock no further than they must")

	now = noon.Add(-time.Hour) // the clock is set back: ids run ahead, times do not
	ids = append(ids, newIDs(t, rc, 10)...)
	var r otelaudit.Record
	_, err = rc.Record(t.Context(), &otelaudit.Activity{Action: "a.create"}, &r)
	require.NoError(t, err)
	require.Equal(t, now, r.Time)

	now = noon.Add(time.Second)
	ids = append(ids, newIDs(t, rc, 10)...)
	requireAscending(t, ids)
	at, _ = ids[len(ids)-1].Time()
	require.Equal(t, now, at, "the clock has caught up")
}

func TestIDsAreUniqueAndAscendInEachGoroutine(t *testing.T) {
	t.Parallel()
	rc, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(t, err)
	const workers, each = 8, 2000
	all := make([][]otelaudit.ID, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { all[i] = newIDs(t, rc, each) })
	}
	wg.Wait()
	var together []otelaudit.ID
	for _, ids := range all {
		requireAscending(t, ids)
		together = append(together, ids...)
	}
	slices.SortFunc(together, compareIDs)
	require.Len(t, slices.Compact(together), workers*each)
}
