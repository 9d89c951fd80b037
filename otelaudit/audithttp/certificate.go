package audithttp

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// ClientCertificate returns the actor function for mutual TLS that ends in this server. actor gets the client's
// certificate, which crypto/tls has verified when the connection was made, and returns whom it names.
//
// A nil actor takes the certificate's one URI name (a SPIFFE ID, for example) or, where it has no URI, its one DNS name, in
// lower case, for the id of a service. It refuses a certificate with several such names, because to take one of them would
// be a guess, with a wildcard, and with a subject only: a CA's name constraints do not cover the common name, so that
// anybody who may have a certificate could have that one.
//
// A connection without TLS or without a certificate has no credentials. A certificate that nobody verified is
// [ErrUnauthenticated] whatever it says, and so are an error from actor and a zero Actor from it: the server's
// tls.Config.ClientAuth must be VerifyClientCertIfGiven or RequireAndVerifyClientCert.
//
// The actor is verified; AuthMethod defaults to "mtls".
func ClientCertificate(actor func(*x509.Certificate) (otelaudit.Actor, error)) func(*http.Request) (otelaudit.Actor, error) {
	if actor == nil {
		actor = serviceNamedBy
	}
	return func(r *http.Request) (otelaudit.Actor, error) {
		switch {
		case r.TLS == nil:
			return otelaudit.Actor{}, nil
		case len(r.TLS.VerifiedChains) > 0 && len(r.TLS.VerifiedChains[0]) > 0:
			leaf := r.TLS.VerifiedChains[0][0]
			return proved("mtls", func() (otelaudit.Actor, error) { return actor(leaf) })
		case len(r.TLS.PeerCertificates) > 0:
			return otelaudit.Actor{}, fmt.Errorf("%w: the client's certificate was not verified: "+
				"set tls.Config.ClientAuth to VerifyClientCertIfGiven or RequireAndVerifyClientCert", ErrUnauthenticated)
		}
		return otelaudit.Actor{}, nil
	}
}

var (
	errNoName     = errors.New("the certificate has neither a URI nor a DNS name: give ClientCertificate a function that names its owner")
	errManyNames  = errors.New("the certificate has several names: give ClientCertificate a function that names its owner")
	errNotOneName = errors.New("the certificate's name is a wildcard or empty: give ClientCertificate a function that names its owner")
)

func serviceNamedBy(cert *x509.Certificate) (otelaudit.Actor, error) {
	var name string
	switch {
	case len(cert.URIs) > 1 || len(cert.URIs) == 0 && len(cert.DNSNames) > 1:
		return otelaudit.Actor{}, errManyNames
	case len(cert.URIs) == 1:
		name = cert.URIs[0].String()
	case len(cert.DNSNames) == 1:
		name = strings.ToLower(cert.DNSNames[0])
		if strings.Contains(name, "*") {
			return otelaudit.Actor{}, errNotOneName
		}
	default:
		return otelaudit.Actor{}, errNoName
	}
	if name == "" {
		return otelaudit.Actor{}, errNotOneName
	}
	return otelaudit.Service(name), nil
}
