package openapicheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

var options = &openapi3filter.Options{
	MultiError:                        true,
	SkipSettingDefaults:               true, // what is checked stays as it was
	RejectWhenRequestBodyNotSpecified: true,
	AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // see token
}

// Request says what of a request is not as specified. Its body can be read
// again afterwards. Unlike the specification it wants a bearer token in every
// call and no query parameter that is not specified.
func (s *Spec) Request(r *http.Request) error {
	if s == nil {
		return nil
	}
	input, err := s.route(r)
	if err != nil {
		return err
	}
	return errors.Join(openapi3filter.ValidateRequest(background, input), token(r), parameters(input))
}

// Response says what of an answer to the request is not as specified. A status
// that the specification does not have is let pass, since GHL has such. The
// body can be read again.
func (s *Spec) Response(r *http.Request, answer *http.Response) error {
	if s == nil {
		return nil
	}
	input, err := s.route(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return openapi3filter.ValidateResponse(background, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: answer.StatusCode, Header: answer.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	})
}

// Handler checks each request before it hands it on to next. report hears of
// what is wrong, on the request's goroutine; a test gives its Error.
func (s *Spec) Handler(next http.Handler, report func(...any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.Request(r); err != nil {
			report(fmt.Errorf("%s %s is not as GHL specifies: %w", r.Method, r.URL.Path, err))
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Spec) route(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	for _, router := range s.routers {
		route, params, err := router.FindRoute(r)
		if err == nil {
			return &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}, nil
		}
		if !errors.Is(err, routers.ErrPathNotFound) && !errors.Is(err, routers.ErrMethodNotAllowed) {
			return nil, err
		}
	}
	return nil, errors.New("the specification has no such call")
}

func token(r *http.Request) error {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || t == "" {
		return errors.New("header Authorization is not Bearer and a token")
	}
	return nil
}

func parameters(input *openapi3filter.RequestValidationInput) error {
	given, err := url.ParseQuery(input.Request.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("read the query: %w", err)
	}
	for _, p := range input.Route.Operation.Parameters {
		if p.Value != nil && p.Value.In == "query" {
			delete(given, p.Value.Name)
		}
	}
	var unknown []error
	for name := range given {
		unknown = append(unknown, fmt.Errorf("query parameter %s is not specified", name))
	}
	return errors.Join(unknown...)
}
