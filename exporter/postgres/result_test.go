package postgres

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

// What became of two shares, in whatever order they come.
func TestTheResultOfTwoShares(t *testing.T) {
	t.Parallel()
	passing := result{count: 3, failure: &fault{retry, errors.New("passing")}}
	stopping := result{count: 3, failure: &fault{stop, errors.New("stopping")}}
	stored := result{count: 3, taken: true, added: true}
	wasThere := result{count: 3, taken: true}
	conflict := result{count: 3, taken: true, added: true, bad: []trail.BadRecord{{Reason: ErrConflict}}}
	refused := result{count: 1, bad: []trail.BadRecord{{Reason: errors.New("refused")}}, refusal: errors.New("refused"), refused: 1}
	for name, c := range map[string]struct {
		a, b    result
		want    verdict
		message string // "" for nil
	}{
		"both stored":                {stored, wasThere, retry, ""}, // verdictOf(nil)
		"passing, stored":            {passing, stored, retry, "passing"},
		"passing, stopping":          {passing, stopping, retry, "passing"},
		"passing, bad":               {passing, conflict, retry, "passing"},
		"stopping, stopping":         {stopping, stopping, stop, "stopping"},
		"stopping, stored":           {stopping, stored, retry, "stopping"},
		"stopping, was there":        {stopping, wasThere, stop, "stopping"},
		"stopping, bad":              {stopping, conflict, retry, "stopping"},
		"stopping, bad and no other": {stopping, refused, stop, "stopping"},
		"bad, stored":                {conflict, stored, bad, "1 bad record"},
		"bad, bad":                   {conflict, refused, bad, "2 bad record"},
		"refused, was there":         {refused, wasThere, bad, "1 bad record"},
		"refused, refused":           {refused, refused, stop, "refuses each of 2 records"},
	} {
		for _, order := range [][2]result{{c.a, c.b}, {c.b, c.a}} {
			r := order[0]
			r.add(&order[1])
			err := r.err(t.Context())
			require.Equal(t, c.want, verdictOf(err), "%s: %v", name, err)
			if c.message == "" {
				require.NoError(t, err, name)
			} else {
				require.ErrorContains(t, err, c.message, name)
			}
		}
	}
}
