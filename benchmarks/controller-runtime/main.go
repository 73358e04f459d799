// Command baseline is the usual controller-runtime operator, for comparison: it does for an IsekAgent of its own pods
// what the Isek operator does. It watches agents and their children, applies the children (server-side) that are
// missing or were last written for another wish, takes over none of somebody else's, and patches the status when it
// changes.
//
// What the children look like is rendered beforehand by the operator's own builders (--children), so that only the
// machinery differs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	manager        = "baseline"
	wishAnnotation = "isek.io/wish"
	concurrency    = 20 // as many as the Isek operator's workers
)

var (
	groupVersion = schema.GroupVersion{Group: "isek.io", Version: "v1alpha1"}
	ours         = labels.SelectorFromSet(labels.Set{"app.kubernetes.io/managed-by": "isek-operator"})
)

func main() {
	children := flag.String("children", "", "file with the rendered children")
	qps := flag.Float64("qps", 20, "requests per second; below 0: no limit")
	burst := flag.Int("burst", 30, "requests that may come at once")
	metrics := flag.String("metrics", ":8080", "address of /metrics")
	flag.Parse()
	if err := run(*children, float32(*qps), *burst, *metrics); err != nil {
		fmt.Fprintln(os.Stderr, "baseline:", err)
		os.Exit(1)
	}
}

func run(children string, qps float32, burst int, metrics string) error {
	ctrl.SetLogger(zap.New())
	templates, err := readTemplates(children)
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS, config.Burst = qps, burst

	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(groupVersion, &IsekAgent{}, &IsekAgentList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	cached := map[client.Object]cache.ByObject{}
	for _, template := range templates {
		cached[newObject(scheme, template.kind)] = cache.ByObject{Label: ours}
	}
	operator, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Cache:   cache.Options{ByObject: cached, DefaultTransform: cache.TransformStripManagedFields()},
		Metrics: server.Options{BindAddress: metrics},
	})
	if err != nil {
		return err
	}
	building := ctrl.NewControllerManagedBy(operator).
		For(&IsekAgent{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency})
	for kind := range cached {
		building = building.Owns(kind)
	}
	if err := building.Complete(&reconciler{operator.GetClient(), templates}); err != nil {
		return err
	}
	return operator.Start(ctrl.SetupSignalHandler())
}

// template is a child of the agent "{name}" in namespace "{namespace}" whose uid is "{uid}".
type template struct {
	kind schema.GroupVersionKind
	text string
}

func readTemplates(path string) ([]template, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rendered []json.RawMessage
	if err := json.Unmarshal(content, &rendered); err != nil {
		return nil, err
	}
	var templates []template
	for _, each := range rendered {
		var kind metav1.TypeMeta
		if err := json.Unmarshal(each, &kind); err != nil {
			return nil, err
		}
		templates = append(templates, template{kind.GroupVersionKind(), string(each)})
	}
	return templates, nil
}

func (t template) fill(agent *IsekAgent) (*unstructured.Unstructured, error) {
	text := strings.NewReplacer("{name}", agent.Name, "{namespace}", agent.Namespace, "{uid}", string(agent.UID)).Replace(t.text)
	child := &unstructured.Unstructured{}
	return child, json.Unmarshal([]byte(text), child)
}

func newObject(scheme *runtime.Scheme, kind schema.GroupVersionKind) client.Object {
	object, err := scheme.New(kind)
	if err != nil {
		panic(err) // a kind that client-go does not know
	}
	return object.(client.Object)
}

type reconciler struct {
	client.Client
	templates []template
}

var errNameConflict = errors.New("belongs to somebody else and is left alone")

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	agent := &IsekAgent{}
	if err := r.Get(ctx, request.NamespacedName, agent); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !agent.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // its children go by garbage collection
	}
	var deployment *appsv1.Deployment
	for _, template := range r.templates {
		live, err := r.bring(ctx, agent, template)
		if errors.Is(err, errNameConflict) {
			return ctrl.Result{}, r.say(ctx, agent, nil, "NameConflict", err.Error())
		}
		if err != nil {
			return ctrl.Result{}, err
		}
		if found, ok := live.(*appsv1.Deployment); ok {
			deployment = found
		}
	}
	return ctrl.Result{}, r.say(ctx, agent, deployment, "RollingOut", "pods are on their way")
}

// bring applies a child where it is missing or another wish's, and returns it as it was before.
func (r *reconciler) bring(ctx context.Context, agent *IsekAgent, template template) (client.Object, error) {
	wish, err := template.fill(agent)
	if err != nil {
		return nil, err
	}
	live := newObject(r.Scheme(), template.kind)
	switch err := r.Get(ctx, client.ObjectKeyFromObject(wish), live); {
	case err == nil && !metav1.IsControlledBy(live, agent):
		return nil, fmt.Errorf("%s %q %w", template.kind.Kind, live.GetName(), errNameConflict)
	case err == nil && live.GetAnnotations()[wishAnnotation] == wish.GetAnnotations()[wishAnnotation]:
		return live, nil
	case client.IgnoreNotFound(err) != nil:
		return nil, err
	}
	return live, r.Apply(ctx, client.ApplyConfigurationFromUnstructured(wish), client.FieldOwner(manager), client.ForceOwnership)
}

// say patches the status where it changes.
func (r *reconciler) say(ctx context.Context, agent *IsekAgent, deployment *appsv1.Deployment, reason, message string) error {
	before := agent.DeepCopyObject().(*IsekAgent)
	ready := metav1.ConditionFalse
	if deployment != nil {
		agent.Status.Replicas, agent.Status.ReadyReplicas = deployment.Status.Replicas, deployment.Status.ReadyReplicas
		if deployment.Status.ReadyReplicas > 0 {
			ready, reason, message = metav1.ConditionTrue, "AllReplicasReady", "pods answer"
		}
	}
	agent.Status.ObservedGeneration = agent.Generation
	for kind, status := range map[string]metav1.ConditionStatus{"Ready": ready, "ResolvedRefs": metav1.ConditionTrue} {
		meta.SetStatusCondition(&agent.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, ObservedGeneration: agent.Generation, Reason: reason, Message: message,
		})
	}
	patch := client.MergeFrom(before)
	if change, err := patch.Data(agent); err != nil || string(change) == "{}" {
		return err
	}
	err := r.Status().Patch(ctx, agent, patch)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
