package audithttp

import (
	"context"
	"net/http"
	"strings"
	"sync"
)

// route is the pattern of one request: unknown until the router has found it, and fixed once the handler has returned,
// because routers recycle what they keep about a request.
type route struct {
	custom func(*http.Request) string // WithRoute's, or nil

	mu    sync.Mutex    // guards what follows, and is held while custom runs
	req   *http.Request // what was passed on, into which the router writes; nil once the handler has returned
	final string
}

// putContext gives the request this context. To change it in place spares a copy: nobody has it yet but the actor function,
// which has returned and must not keep it.
func (t *route) putContext(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*t.req = *t.req.WithContext(ctx)
}

// pattern returns the route as far as it is known.
func (t *route) pattern() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.req == nil {
		return t.final
	}
	return t.read()
}

// end fixes the route, and gives back to outer, of which we passed on a copy, what the handlers left in it: otelhttp names
// its span after Pattern, and net/http removes the temporary files of MultipartForm.
func (t *route) end(outer *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if outer.Pattern != t.req.Pattern {
		outer.Pattern = t.req.Pattern
	}
	if outer.MultipartForm != t.req.MultipartForm {
		outer.MultipartForm = t.req.MultipartForm
	}
	defer func() { t.req = nil }() // also when custom panics: the request is not ours to keep
	t.final = t.read()
}

func (t *route) read() string {
	if t.custom != nil {
		if pattern := t.custom(t.req); pattern != "" {
			return pattern
		}
	}
	return pathOf(t.req.Pattern)
}

// pathOf takes method and host off a pattern of http.ServeMux; neither can have a slash.
func pathOf(pattern string) string {
	i := strings.IndexByte(pattern, '/')
	if i < 0 {
		return ""
	}
	return pattern[i:]
}
