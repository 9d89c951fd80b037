package otelaudit

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const hashedPrefix = "sha256:"

// hashSession keeps what tells sessions apart and cannot be used to take one over. A hash stays as it is.
func hashSession(session string) string {
	if session == "" || isHashed(session) {
		return session
	}
	hash := sha256.Sum256([]byte(session))
	var text [hashedLength]byte
	return string(hex.AppendEncode(append(text[:0], hashedPrefix...), hash[:]))
}

const hashedLength = len(hashedPrefix) + 2*sha256.Size

func isHashed(session string) bool {
	digits, ok := strings.CutPrefix(session, hashedPrefix)
	if !ok || len(session) != hashedLength {
		return false
	}
	return strings.Trim(digits, "0123456789abcdef") == ""
}
