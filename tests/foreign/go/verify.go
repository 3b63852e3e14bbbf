// Verifies access tokens with go-oidc, and with golang-jwt and keyfunc. It reads {issuer, audience, jwks_uri, tokens}
// from the file of its argument, and prints a verdict for each library and token.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"os"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
)

type setup struct {
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience"`
	JWKSURI  string            `json:"jwks_uri"`
	Tokens   map[string]string `json:"tokens"`
}

// requireAccessToken refuses other kinds of JWT (RFC 9068 §4). Neither library checks typ by itself.
func requireAccessToken(typ any) error {
	text, _ := typ.(string)
	if strings.TrimPrefix(strings.ToLower(text), "application/") != "at+jwt" {
		return errors.New("not an access token")
	}
	return nil
}

func withGoOIDC(ctx context.Context, s setup) (func(string) error, error) {
	provider, err := oidc.NewProvider(ctx, s.Issuer) // reads the metadata, and fetches keys when it needs them
	if err != nil {
		return nil, err
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: s.Audience, SupportedSigningAlgs: []string{oidc.ES256}})
	return func(token string) error {
		if _, err := verifier.Verify(ctx, token); err != nil {
			return err
		}
		var header struct{ Typ any }
		encoded, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(encoded, &header); err != nil {
			return err
		}
		return requireAccessToken(header.Typ)
	}, nil
}

func withGolangJWT(ctx context.Context, s setup) (func(string) error, error) {
	keys, err := keyfunc.NewDefaultCtx(ctx, []string{s.JWKSURI})
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer(s.Issuer),
		jwt.WithAudience(s.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
	)
	return func(token string) error {
		parsed, err := parser.Parse(token, keys.Keyfunc)
		if err != nil {
			return err
		}
		return requireAccessToken(parsed.Header["typ"])
	}, nil
}

func main() {
	log.SetFlags(0)
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var s setup
	if err := json.Unmarshal(content, &s); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	verdicts := map[string]map[string]string{}
	for name, library := range map[string]func(context.Context, setup) (func(string) error, error){
		"go-oidc":    withGoOIDC,
		"golang-jwt": withGolangJWT,
	} {
		verify, err := library(ctx, s)
		if err != nil {
			log.Fatal(name, ": ", err)
		}
		verdicts[name] = map[string]string{}
		for kind, token := range s.Tokens {
			verdicts[name][kind] = "accepted"
			if err := verify(token); err != nil {
				log.Print(name, " refuses ", kind, ": ", err)
				verdicts[name][kind] = "refused"
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
