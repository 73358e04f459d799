package main

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// IsekAgent is the custom resource, as far as the baseline has to know it.
type IsekAgent struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              json.RawMessage `json:"spec,omitempty"`
	Status            IsekAgentStatus `json:"status,omitempty"`
}

// IsekAgentStatus is what the baseline says about an agent.
type IsekAgentStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Replicas           int32              `json:"replicas"`
	ReadyReplicas      int32              `json:"readyReplicas"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// IsekAgentList is a list of them.
type IsekAgentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IsekAgent `json:"items"`
}

// DeepCopyObject copies the agent; the specification is never changed and stays shared.
func (in *IsekAgent) DeepCopyObject() runtime.Object {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status.Conditions = append([]metav1.Condition(nil), in.Status.Conditions...)
	return &out
}

// DeepCopyObject copies the list.
func (in *IsekAgentList) DeepCopyObject() runtime.Object {
	out := IsekAgentList{TypeMeta: in.TypeMeta, ListMeta: *in.ListMeta.DeepCopy()}
	for index := range in.Items {
		out.Items = append(out.Items, *in.Items[index].DeepCopyObject().(*IsekAgent))
	}
	return &out
}
