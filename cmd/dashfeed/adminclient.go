package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
)

// adminServerFlags holds the flags of the commands that talk to an admin listener.
type adminServerFlags struct {
	configFlag
	contextFlag
	adminServerFlag
	outputFlag
}

// adminServerFlag names the process of the cluster to ask; each of them knows the whole cluster.
type adminServerFlag struct {
	AdminServer string `help:"Admin address of any process of the cluster." default:"http://127.0.0.1:9090" placeholder:"URL" group:"Client"`
	AdminCA     string `name:"admin-ca" help:"Certificates (PEM) of its CA, if its address is https. Without it: the system's." placeholder:"FILE" group:"Client"`
	AdminCert   string `help:"Your certificate (PEM), if it asks for one." placeholder:"FILE" group:"Client"`
	AdminKey    string `help:"Its key (PEM)." placeholder:"FILE" group:"Client"`
}

// base returns the address that paths are appended to.
func (f *adminServerFlag) base() (string, error) {
	u, err := url.Parse(f.AdminServer)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usage("admin-server %q is not allowed: want http://HOST:PORT or https://HOST:PORT", f.AdminServer)
	}
	return strings.TrimSuffix(f.AdminServer, "/"), nil
}

// client returns the client that presents the operator's certificate, if one is given.
func (f *adminServerFlag) client() (*http.Client, error) {
	if f.AdminCA == "" && f.AdminCert == "" && f.AdminKey == "" {
		return http.DefaultClient, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.AdminCA != "" {
		pem, err := os.ReadFile(f.AdminCA)
		if err != nil {
			return nil, usage("admin-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usage("admin-ca %q holds no certificate in PEM", f.AdminCA)
		}
	}
	if f.AdminCert != "" || f.AdminKey != "" {
		pair, err := tls.LoadX509KeyPair(f.AdminCert, f.AdminKey)
		if err != nil {
			return nil, usage("admin-cert %q, admin-key %q: %w", f.AdminCert, f.AdminKey, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}}, nil
}

// ask sends a request to the admin listener: body as JSON if it is not nil. It decodes the answer
// into answer.
func (f *adminServerFlag) ask(ctx context.Context, method, path string, body, answer any) error {
	base, err := f.base()
	if err != nil {
		return err
	}
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(ctx, admin.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, base+path, sent)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	client, err := f.client()
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil && ctx.Err() != context.DeadlineExceeded {
			return ctx.Err()
		}
		return &exitError{exitUnreachable, fmt.Errorf("ask the admin listener: %w (--admin-server names another)", err)}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", f.AdminServer, err)
	}
	return understand(resp, b, answer)
}

// understand decodes the answer, or returns the error that it holds.
func understand(resp *http.Response, b []byte, answer any) error {
	if resp.StatusCode >= 300 {
		var told admin.Failure
		if json.Unmarshal(b, &told) != nil || told.Error == "" {
			told.Error = fmt.Sprintf("%s answers %s: is it an admin address?", resp.Request.URL, resp.Status)
		}
		return fmt.Errorf("%s", told.Error)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("the answer of %s is not the expected JSON (%w): is it an admin address?", resp.Request.URL, err)
	}
	return nil
}
