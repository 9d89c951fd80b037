package main

import (
	"encoding/json"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// failure is why the event did not succeed, or nil.
func (e event) failure() error {
	switch {
	case e.ErrorCode != "":
		return awsError(e.ErrorCode)
	case e.isFailedLogin():
		return awsError("ConsoleLoginFailure")
	}
	return nil
}

// isFailedLogin reports whether the event is a login to the console that did not succeed. Such an event has no errorCode.
func (e event) isFailedLogin() bool {
	var elements struct{ ConsoleLogin string }
	err := json.Unmarshal(e.ResponseElements, &elements) // an error says that this is the response to something else
	return err == nil && elements.ConsoleLogin == "Failure"
}

// awsError is an error by AWS's code for it, which is all that the trail records of it.
type awsError string

func (e awsError) Error() string     { return string(e) }
func (e awsError) ErrorType() string { return string(e) }

// Is tells the trail which codes are refusals by a rule: their outcome is "denied", that of others "failure".
func (e awsError) Is(target error) bool {
	if target != otelaudit.ErrDenied {
		return false
	}
	code := string(e)
	return code == "AccessDenied" || code == "AccessDeniedException" ||
		strings.HasSuffix(code, "UnauthorizedOperation") || // EC2 has Client.UnauthorizedOperation
		strings.HasPrefix(code, "Unauthorized")
}
