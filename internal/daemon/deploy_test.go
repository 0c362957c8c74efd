package daemon

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
)

// manifest is what is looked at of those of Kubernetes.
type manifest struct {
	Kind string
	Data map[string]string
	Spec struct {
		Replicas     int
		MinAvailable int `yaml:"minAvailable"`
		Selector     any
		Template     struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
				Containers                    []struct {
					Args           []string
					StartupProbe   probe `yaml:"startupProbe"`
					LivenessProbe  probe `yaml:"livenessProbe"`
					ReadinessProbe probe `yaml:"readinessProbe"`
					VolumeMounts   []struct {
						MountPath string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
			}
		}
	}
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

func manifests(t *testing.T) map[string]manifest {
	t.Helper()
	f, err := os.Open("../../deploy/kubernetes/ghlsync.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	all := map[string]manifest{}
	for in := yaml.NewDecoder(f); ; {
		var m manifest
		err := in.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[m.Kind] = m
	}
}

// What the manifests set are settings, with values that a daemon takes.
func TestKubernetesSettings(t *testing.T) {
	t.Parallel()
	data, env := manifests(t)["ConfigMap"].Data, map[string]string{}
	for name, value := range data {
		setting, inFile := strings.CutSuffix(name, "_FILE")
		if !inFile {
			env[name] = value
			continue
		}
		if !strings.HasPrefix(value, "/run/secrets/ghlsync/") || strings.ToUpper(value[len("/run/secrets/ghlsync/"):]) != setting {
			t.Errorf("%s=%s is not where its secret is mounted", name, value)
		}
		env[setting] = map[string]string{
			"SENTRA_DATABASE_URL": "postgres://u@db.example.com/sentra", "STATE_URL": "postgres://u@db.example.com/state",
			"GHL_WEBHOOK_URL": "https://services.example.com/hooks/x", "HTTP_TOKEN": strings.Repeat("t", 48), "CALLBACK_SECRET": strings.Repeat("c", 48),
		}[setting]
	}
	c, warnings, err := config.Load(t.Context(), config.FromMap(env), config.All()...)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v", warnings, err)
	}
	var names []string
	for _, s := range c.Redacted() {
		names = append(names, s.Name)
	}
	for name := range env {
		if !slices.Contains(names, name) {
			t.Errorf("there is no setting %s", name)
		}
	}
}

func TestKubernetesDeployment(t *testing.T) {
	t.Parallel()
	all := manifests(t)
	d, budget := all["Deployment"].Spec, all["PodDisruptionBudget"].Spec
	if d.Replicas != 2 || budget.MinAvailable != 1 || len(d.Template.Spec.Containers) != 1 {
		t.Errorf("%d replicas, of which %d have to be there", d.Replicas, budget.MinAvailable)
	}
	if grace := d.Template.Spec.TerminationGracePeriodSeconds; grace <= int(2*DrainTimeout.Seconds()) {
		t.Errorf("%d s are little for a stop", grace)
	}
	if all["Service"].Kind == "" {
		t.Error("there is no service")
	}
}

// Each probe asks for what the daemon answers without a token.
func TestKubernetesProbes(t *testing.T) {
	t.Parallel()
	server := admin.New(admin.Options{
		Service: &admin.Service{StateError: errors.New("none"), Live: admin.Offline{}},
		Addr:    "127.0.0.1:0", Token: "token", Log: slog.New(slog.DiscardHandler),
	})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer server.Stop(t.Context()) //nolint:errcheck // it has nothing in hand
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c := manifests(t)["Deployment"].Spec.Template.Spec.Containers[0]
	for name, p := range map[string]probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		resp, err := client.Get("http://" + server.Addr() + p.HTTPGet.Path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // the status is all
		if name != "readiness" && resp.StatusCode != http.StatusOK || name == "readiness" && resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("the %s probe %q is answered %s", name, p.HTTPGet.Path, resp.Status)
		}
	}
}
