package integrity

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// FuzzDecode: data are refused, or one record's only form; also to a Decoder that has read others.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(AppendCanonical(nil, v.record))
	}
	for _, r := range refusals {
		f.Add(r.data())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decoder
		var r otelaudit.Record
		ok := requireOneForm(t, &d, &r, data)
		require.Equal(t, ok, requireOneForm(t, &d, &r, data), "the same data again")
		require.NoError(t, d.Decode(AppendCanonical(nil, full()), &r))
		require.Equal(t, ok, requireOneForm(t, &d, &r, data), "behind another record")
		if ok {
			parsed, err := ParseCanonical(data)
			require.NoError(t, err)
			require.Equal(t, plain(r), plain(*parsed))
		}
	})
}
