package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// event has the fields of a CloudTrail event that may be recorded. errorMessage, requestParameters and responseElements can
// hold anything: the first two are not even decoded, and of the third one word counts.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type event struct {
	EventID            string          `json:"eventID"`
	EventTime          time.Time       `json:"eventTime"`
	EventSource        string          `json:"eventSource"`
	EventName          string          `json:"eventName"`
	EventType          string          `json:"eventType"`
	AWSRegion          string          `json:"awsRegion"`
	RecipientAccountID string          `json:"recipientAccountId"`
	UserIdentity       identity        `json:"userIdentity"`
	SourceIPAddress    string          `json:"sourceIPAddress"`
	UserAgent          string          `json:"userAgent"`
	RequestID          string          `json:"requestID"`
	SharedEventID      string          `json:"sharedEventID"`
	ReadOnly           *bool           `json:"readOnly"`
	ErrorCode          string          `json:"errorCode"`
	ResponseElements   json.RawMessage `json:"responseElements"`
	Resources          []resource      `json:"resources"`
}

type resource struct {
	Type      string `json:"type"`
	ARN       string `json:"ARN"`
	ARNPrefix string `json:"ARNPrefix"` // in place of ARN, for all that begin so
	AccountID string `json:"accountId"`
}

// parse reads one event, and refuses what could not be told from other events: that would be recorded anew each time.
func parse(b []byte) (event, error) {
	var e event
	if err := json.Unmarshal(b, &e); err != nil {
		return event{}, fmt.Errorf("not an event: %w", err)
	}
	switch {
	case e.EventID == "":
		return event{}, errors.New("not an event: it has no eventID")
	case e.EventTime.IsZero():
		return event{}, errors.New("not an event: it has no eventTime")
	case e.EventSource == "" || e.EventName == "":
		return event{}, errors.New("not an event: it has no eventSource or no eventName")
	}
	return e, nil
}
