package query_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

func TestFilterNamesWhatNobodyCanAnswer(t *testing.T) {
	t.Parallel()
	now := time.Now()
	deep := attribute.IntValue(1)
	for range 20_000 {
		deep = attribute.SliceValue(deep)
	}
	for want, f := range map[string]query.Filter{
		"Filter.Actor is matched by Type and ID only":  {Actor: otelaudit.Actor{ID: "u-1", Name: "Ann"}},
		"Filter.Actor has a type and no id":            {Actor: otelaudit.Actor{Type: otelaudit.ActorUser}},
		"Filter.Actor is anonymous, which has no id":   {Actor: otelaudit.Actor{Type: otelaudit.ActorAnonymous, ID: "x"}},
		`Filter.Actor.Type "u\x00" is no type`:         {Actor: otelaudit.Actor{Type: "u\x00", ID: "x"}},
		`Filter.Actor.Type "robot" is no type`:         {Actor: otelaudit.Actor{Type: "robot"}},
		"Filter.InChain needs Filter.Actor":            {InChain: true},
		"Filter.Target is matched by Type and ID only": {Target: otelaudit.Target{Type: "invoice", Name: "n"}},
		"Filter.Target has an id and no type":          {Target: otelaudit.Target{ID: "42"}},
		"is not before Filter.To":                      {From: now, To: now},
		"is no outcome":                                {Outcomes: []otelaudit.Outcome{"ok"}},
		"Filter.Metadata has an empty key":             {Metadata: []attribute.KeyValue{attribute.Bool("", true)}},
		"exceeded max depth":                           {Metadata: []attribute.KeyValue{{Key: "k", Value: deep}}},
		`Filter.Metadata: "k" has a NUL byte`:          {Metadata: []attribute.KeyValue{attribute.Map("k", attribute.StringSlice("l", []string{"a", "\x00"}))}},
		`Filter.Metadata: "k\x00" has a NUL byte`:      {Metadata: []attribute.KeyValue{attribute.Bool("k\x00", true)}},
		`Filter.Action "\xff.*" is not UTF-8`:          {Action: "\xff.*"},
		`Filter.Action "a\x00.*" is not UTF-8`:         {Action: "a\x00.*"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			err := f.Validate()
			require.ErrorIs(t, err, query.ErrInvalid)
			require.ErrorContains(t, err, want)
		})
	}
	require.NoError(t, query.Filter{}.Validate())
	require.NoError(t, query.Filter{
		Actor: otelaudit.Anonymous(), Target: otelaudit.Target{Type: "invoice"}, Outcomes: []otelaudit.Outcome{otelaudit.Denied}, From: now, To: now.Add(1),
	}.Validate())
}

func TestACursorLeadsBackToItsRecord(t *testing.T) {
	t.Parallel()
	r := &otelaudit.Record{ID: otelaudit.DeriveID("a", "b"), Time: time.Date(2026, 11, 23, 1, 2, 3, 456789000, time.UTC)}
	start, ok, err := query.PageRequest{After: query.Cursor(r)}.Start()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, query.Key{Time: r.Time, ID: r.ID}, start)

	_, ok, err = query.PageRequest{}.Start()
	require.NoError(t, err)
	require.False(t, ok)
	for _, forged := range []string{"x", "%%%", "AAAA", "__________________________________________"} {
		_, _, err = query.PageRequest{After: forged}.Start()
		require.ErrorIs(t, err, query.ErrInvalid, forged)
	}
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	n, err := query.PageRequest{}.Size()
	require.NoError(t, err)
	require.Equal(t, query.DefaultLimit, n)
	n, err = query.PageRequest{Limit: query.MaxLimit}.Size()
	require.NoError(t, err)
	require.Equal(t, query.MaxLimit, n)
	for _, wrong := range []int{-1, query.MaxLimit + 1} {
		_, err = query.PageRequest{Limit: wrong}.Size()
		require.ErrorIs(t, err, query.ErrInvalid)
	}
}

// asked is a Reader that keeps the filter it was asked for.
type asked struct{ filter *query.Filter }

func (a asked) Query(_ context.Context, f query.Filter, _ query.PageRequest) (query.Page, error) {
	*a.filter = f
	return query.Page{}, nil
}

func TestForTenantCannotBeWidened(t *testing.T) {
	t.Parallel()
	var got query.Filter
	own := query.ForTenant(asked{&got}, "acme")
	for _, f := range []query.Filter{{}, {Tenant: "acme"}, {Action: "invoice.*"}} {
		_, err := own.Query(t.Context(), f, query.PageRequest{})
		require.NoError(t, err)
		require.Equal(t, "acme", got.Tenant)
		require.Equal(t, f.Action, got.Action)
	}
	_, err := own.Query(t.Context(), query.Filter{Tenant: "other"}, query.PageRequest{})
	require.ErrorIs(t, err, query.ErrInvalid)

	_, err = query.ForTenant(asked{&got}, "").Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.ErrorIs(t, err, query.ErrInvalid, "no tenant is not every tenant")
	_, err = query.ForTenant(own, "other").Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.ErrorIs(t, err, query.ErrInvalid, "nor can a narrower reader be given another tenant")
}
