// Package jwtclaims reads from the claims of a verified token who acts, and for whom: RFC 8693's act, with the claims that name
// a party. It verifies nothing. Errors name the claim, never its value.
package jwtclaims
