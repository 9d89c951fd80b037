package auditgrpc

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// ClientCertificate returns the actor function for mutual TLS that ends in this server (credentials.NewTLS). actor gets the
// client's certificate, which crypto/tls has verified when the connection was made, and returns whom it names.
//
// A nil actor takes the certificate's one URI name (a SPIFFE ID, for example) or, where it has no URI, its one DNS name, in
// lower case, for the id of a service. It refuses a certificate with several such names, with a wildcard, and with a subject
// only, for the reasons that audithttp.ClientCertificate gives.
//
// A connection without TLS or without a certificate has no credentials. A certificate that nobody verified is
// [ErrUnauthenticated] whatever it says, and so are an error from actor and a zero Actor from it: the server's
// tls.Config.ClientAuth must be VerifyClientCertIfGiven or RequireAndVerifyClientCert.
//
// The actor is verified; AuthMethod defaults to "mtls".
func ClientCertificate(actor func(*x509.Certificate) (otelaudit.Actor, error)) func(ctx context.Context, fullMethod string) (otelaudit.Actor, error) {
	if actor == nil {
		actor = serviceNamedBy
	}
	return func(ctx context.Context, _ string) (otelaudit.Actor, error) {
		p, ok := peer.FromContext(ctx)
		if !ok {
			return otelaudit.Actor{}, nil
		}
		info, ok := p.AuthInfo.(credentials.TLSInfo)
		switch {
		case !ok:
			return otelaudit.Actor{}, nil
		case len(info.State.VerifiedChains) > 0 && len(info.State.VerifiedChains[0]) > 0:
			a, err := actor(info.State.VerifiedChains[0][0])
			if err == nil && a.IsZero() {
				err = errNobody
			}
			if err != nil {
				return otelaudit.Actor{}, fmt.Errorf("%w: mtls: %w", ErrUnauthenticated, err)
			}
			return verified(a, "mtls"), nil
		case len(info.State.PeerCertificates) > 0:
			return otelaudit.Actor{}, fmt.Errorf("%w: the client's certificate was not verified: "+
				"set tls.Config.ClientAuth to VerifyClientCertIfGiven or RequireAndVerifyClientCert", ErrUnauthenticated)
		}
		return otelaudit.Actor{}, nil
	}
}

var (
	errNobody = errors.New("the certificate proves nobody")
	errNoName = errors.New("the certificate has not one URI or DNS name without a wildcard: give ClientCertificate a function that names its owner")
)

func serviceNamedBy(cert *x509.Certificate) (otelaudit.Actor, error) {
	var name string
	switch {
	case len(cert.URIs) == 1:
		name = cert.URIs[0].String()
	case len(cert.URIs) == 0 && len(cert.DNSNames) == 1 && !strings.Contains(cert.DNSNames[0], "*"):
		name = strings.ToLower(cert.DNSNames[0])
	}
	if name == "" {
		return otelaudit.Actor{}, errNoName
	}
	return otelaudit.Service(name), nil
}
