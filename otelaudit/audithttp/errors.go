package audithttp

import "errors"

// ErrUnauthenticated says that the request carried credentials that do not show who sent it, or carried them in a way that
// leaves doubt. The ready actor functions wrap it, together with what the caller's own function said. The middleware answers 401,
// or goes on as anonymous where [WithAnonymousOnError] says so.
var ErrUnauthenticated = errors.New("audithttp: unauthenticated")
