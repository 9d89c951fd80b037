package propagation_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

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
