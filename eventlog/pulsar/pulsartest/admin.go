package pulsartest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Admin sends a request below admin/v2/ to the admin API, with a JSON body, or none if body is "",
// and returns the answer. It is no error if the resource exists already (409).
func (c *Cluster) Admin(method, path, body string) (string, error) {
	request, err := http.NewRequest(method, c.AdminURL+"/admin/v2/"+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.options.Tokens {
		request.Header.Set("Authorization", "Bearer "+c.Token("admin"))
	}
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode >= 300 && response.StatusCode != http.StatusConflict {
		return "", fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(answer))
	}
	return string(answer), nil
}
