package main

import (
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// identity is CloudTrail's word on who made the request.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type identity struct {
	Type           string `json:"type"`
	PrincipalID    string `json:"principalId"`
	ARN            string `json:"arn"`
	AccountID      string `json:"accountId"`
	UserName       string `json:"userName"`
	InvokedBy      string `json:"invokedBy"`
	SessionContext struct {
		SessionIssuer struct {
			Type        string `json:"type"`
			PrincipalID string `json:"principalId"`
			AccountID   string `json:"accountId"`
			UserName    string `json:"userName"`
		} `json:"sessionIssuer"`
		Attributes struct {
			MFAAuthenticated string `json:"mfaAuthenticated"`
		} `json:"attributes"`
	} `json:"sessionContext"`
}

// actor is who acted: an AWS service that was asked by somebody acts for them. Where CloudTrail does not say who it was, it
// is the zero Actor, which is recorded as unknown.
func (i identity) actor() otelaudit.Actor {
	who := i.principal()
	switch {
	case i.InvokedBy == "":
		return who
	case who.IsZero(): // types AWSService and none
		return otelaudit.Service(i.InvokedBy)
	default:
		return otelaudit.Service(i.InvokedBy).For(who)
	}
}

// principal is whose credentials were used. A session of a role acts for the role.
func (i identity) principal() otelaudit.Actor {
	if i.Type == "AWSAccount" && i.AccountID == "ANONYMOUS_PRINCIPAL" {
		return otelaudit.Anonymous() // who asked S3 without credentials
	}
	who := party(i.Type, i.PrincipalID)
	if who.IsZero() {
		return who
	}
	who.Name, who.Tenant = i.name(), i.AccountID
	if i.SessionContext.Attributes.MFAAuthenticated == "true" {
		who.AuthMethod = "aws.mfa" // "false" leaves open whether it was a password or an access key
	}
	issuer := i.SessionContext.SessionIssuer
	if role := party(issuer.Type, issuer.PrincipalID); !role.IsZero() {
		role.Name, role.Tenant = issuer.UserName, issuer.AccountID
		who = who.For(role)
	}
	return who
}

// party is a person or a program, as far as CloudTrail's type tells which; the zero Actor if it does not.
func party(typ, id string) otelaudit.Actor {
	if typ == "AWSAccount" {
		// Somebody of another account, whose kind AWS tells by the first letters of the id.
		switch {
		case strings.HasPrefix(id, "AIDA"):
			typ = "IAMUser"
		case strings.HasPrefix(id, "AROA"):
			typ = "AssumedRole"
		}
	}
	if id == "" {
		return otelaudit.Actor{}
	}
	switch typ {
	case "IAMUser", "Root", "FederatedUser", "SAMLUser", "WebIdentityUser":
		return otelaudit.User(id)
	case "AssumedRole", "Role":
		return otelaudit.Service(id)
	}
	return otelaudit.Actor{}
}

// name of a session is ROLE/SESSION, which stands in its ARN only.
func (i identity) name() string {
	if _, session, ok := strings.Cut(i.ARN, ":assumed-role/"); ok {
		return session
	}
	return i.UserName
}
