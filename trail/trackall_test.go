package trail_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// A TrackAll that waits twice, for the trail's opening and for its own records, has one TrackTimeout for both.
func TestTrackAllHasOneTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDouble()
		d.answerWith(func(context.Context, *trail.Batch) error {
			<-time.After(3 * time.Second) // for the opening, and again
			return nil
		})
		tr := open(t, d, func(c *trail.Config) {
			c.TrackTimeout, c.Policy.Ignore = 5*time.Second, []string{"health.*"}
		})
		began := time.Now()
		_, err := tr.TrackAll(t.Context(), []otelaudit.Activity{activity("health.check"), activity("invoice.approve")})
		require.ErrorIs(t, err, otelaudit.ErrTimeout)
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}
