package propagation_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

func TestEdgeStripsOursAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want []string }{
		"no baggage":    {nil, nil},
		"others only":   {[]string{" a=1 ,b=%2C;p", "", "c"}, []string{" a=1 ,b=%2C;p", "", "c"}},
		"ours only":     {[]string{"otelaudit.actor=T"}, nil},
		"several lines": {[]string{"a=1 ,otelaudit.actor=T", "OTELAUDIT.ACTOR=T", " %6Ftelaudit.actor = T; p, b=2;p=q"}, []string{"a=1 ", " b=2;p=q"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			if tc.in != nil {
				r.Header["Baggage"] = tc.in
			}
			r.Header.Set("X-Other", "kept")
			before := r.Header.Clone()
			var got http.Header
			propagation.Edge(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header })).
				ServeHTTP(httptest.NewRecorder(), r)
			require.Equal(t, tc.want, got["Baggage"])
			require.Equal(t, "kept", got.Get("X-Other"))
			if tc.want == nil {
				require.NotContains(t, got, "Baggage")
			}
			require.Equal(t, before, r.Header, "the request that came in stays")
		})
	}
}

// Whatever baggage a stranger brings, the next service learns who acts: ours has room behind it.
func TestEdgeLeavesRoom(t *testing.T) {
	t.Parallel()
	members := func(n int, format string) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return all
	}
	const room = 8192 - len(",otelaudit.actor=") - 2048
	full := "a=" + strings.Repeat("x", room-len("a="))
	for name, tc := range map[string]struct {
		sent []string // the lines
		kept int      // bytes of the lines that are kept, joined
		gone int      // members
	}{
		"none":                     {nil, 0, 0},
		"63 members":               {[]string{strings.Join(members(63, "k%d=v"), ",")}, 63*6 - 10 - 1, 0},
		"64 members":               {[]string{strings.Join(members(64, "k%d=v"), ",")}, 63*6 - 10 - 1, 1},
		"64 lines":                 {members(64, "k%d=v"), 63*6 - 10 - 1, 1},
		"200 members":              {[]string{strings.Join(members(100, "k%d=v"), ","), strings.Join(members(100, "l%d=v"), ",")}, 63*6 - 10 - 1, 137},
		"8,000 bytes in one":       {[]string{"a=" + strings.Repeat("x", 7998)}, 0, 1},
		"8,000 bytes in 40":        {[]string{strings.Join(members(40, "k%02d="+strings.Repeat("x", 195)), ",")}, 30*200 - 1, 10},
		"all bytes that there are": {[]string{full}, room, 0},
		"a byte more":              {[]string{full + "x"}, 0, 1},
		"a byte more, in a line":   {[]string{full[:room-1], ""}, room, 0},
		"a member more":            {[]string{full, "b=1"}, room, 1},
		"empty members":            {[]string{"a=1" + strings.Repeat(",", room-3) + ",,b=1"}, room, 1},
		"bytes that are no UTF-8":  {[]string{"b=1,a=" + strings.Repeat("%ff", 700)}, len("b=1"), 1}, // OpenTelemetry sends three times as many on
		"UTF-8":                    {[]string{"a=" + strings.Repeat("%C3%A9", 1000)}, 6002, 0},
		"a bad member":             {[]string{"a=%,b=1"}, 7, 0},
		"with ours":                {[]string{"otelaudit.actor=T," + strings.Join(members(63, "k%d=v"), ",")}, 63*6 - 10 - 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			orders := startNode(t, "orders", nil, nil, nil)
			var kept []string
			edge := startNode(t, "edge", asUser, orders, func(h http.Handler) http.Handler {
				return propagation.Edge(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					kept = r.Header["Baggage"]
					h.ServeHTTP(w, r)
				}))
			})
			before := edgeDropped(t)
			require.NoError(t, call(t.Context(), outsider(t), edge.url+"/42", http.Header{"X-User": {"alice"}, "Baggage": tc.sent}))
			require.Len(t, strings.Join(kept, ","), tc.kept)
			require.GreaterOrEqual(t, edgeDropped(t)-before, int64(tc.gone), "others count beside it")

			byEdge, byOrders := edge.trail.Records(), orders.trail.Records()
			require.Len(t, byEdge, 1)
			require.Len(t, byOrders, 1)
			require.Equal(t, "edge", byOrders[0].Actor.ID)
			require.Equal(t, "alice", byOrders[0].Actor.OnBehalfOf.ID)
			require.Equal(t, byEdge[0].Operation, byOrders[0].Operation)
		})
	}
}

// What an edge lets in is what came, up to some member, and has room for the longest token once OpenTelemetry has made it its own.
func TestEdgeBaggageHasRoom(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"x", "%ff", "%C3%A9", "%41", "%25", "%", "%c3", "=", " ", "\"", ";p=%ff", ";q", "\t;r = s"})
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		n := 0
		for range rapid.IntRange(0, 4).Draw(t, "lines") {
			var members []string
			for range rapid.IntRange(0, 30).Draw(t, "members") {
				n++
				value := strings.Repeat(piece.Draw(t, "piece"), rapid.SampledFrom([]int{0, 1, 7, 100, 700, 3000}).Draw(t, "times"))
				members = append(members, rapid.SampledFrom([]string{"", fmt.Sprintf("k%d=%s", n, value), " k =" + value, value}).Draw(t, "member"))
			}
			lines = append(lines, strings.Join(members, ","))
		}
		kept := propagation.EdgeBaggage(t.Context(), lines)
		require.True(t, strings.HasPrefix(strings.Join(lines, ","), strings.Join(kept, ",")))
		require.Equal(t, kept, propagation.EdgeBaggage(t.Context(), kept), "it fits")

		in, out := otelpropagation.HeaderCarrier{"Baggage": kept}, otelpropagation.MapCarrier{}
		otelpropagation.Baggage{}.Inject(otelpropagation.Baggage{}.Extract(t.Context(), in), out)
		for _, onward := range []string{strings.Join(kept, ","), out["baggage"]} {
			require.LessOrEqual(t, len(onward)+len(",otelaudit.actor=")+2048, 8192)
			require.LessOrEqual(t, len(membersOf(onward)), 63)
		}
	})
}

// edgeDropped is how many members all edges have dropped.
func edgeDropped(t *testing.T) (n int64) {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, globalMetrics.Collect(t.Context(), &data))
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == "otelaudit.propagation.edge.dropped" {
				n += m.Data.(metricdata.Sum[int64]).DataPoints[0].Value
			}
		}
	}
	return n
}

func TestEdgeBeginsAnOperation(t *testing.T) {
	t.Parallel()
	var operation string
	h := propagation.Edge(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		operation, _ = otelaudit.OperationFromContext(r.Context())
	}))
	seen := map[string]bool{}
	for range 3 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		require.Len(t, operation, 26)
		seen[operation] = true
	}
	require.Len(t, seen, 3)

	ctx := otelaudit.ContextWithOperation(t.Context(), "import-7")
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
	require.Equal(t, "import-7", operation)
}

// net/http removes the temporary files of the request that it made, not of our copy.
func TestEdgeGivesBackTheForm(t *testing.T) {
	t.Parallel()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "a.txt")
	require.NoError(t, err)
	_, err = part.Write(bytes.Repeat([]byte("x"), 4096))
	require.NoError(t, err)
	require.NoError(t, form.Close())

	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	propagation.Edge(mux).ServeHTTP(httptest.NewRecorder(), r)
	require.NotNil(t, r.MultipartForm)
	require.Equal(t, "POST /upload", r.Pattern)
	file, err := r.MultipartForm.File["file"][0].Open()
	require.NoError(t, err)
	defer file.Close()
	onDisk, ok := file.(*os.File)
	require.True(t, ok)
	require.NoError(t, r.MultipartForm.RemoveAll())
	require.NoFileExists(t, onDisk.Name())
}
