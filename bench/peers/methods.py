"""The peers, each as a function from examples and references to contributions.

`attribute(model, examples, references, batch)` takes examples `[n, ...]` and references `[n, r, ...]`, does `batch`
pairs at a time, and returns contributions `[n, ...]` on the CPU, averaged over references. Peers that compare one
example with all its references in a call split the references into chunks of at most `batch`.
"""

import torch


def captum(model, examples, references, batch):
    from captum.attr import DeepLift

    count = references.shape[1]
    flat = references.flatten(0, 1)
    method = DeepLift(model)
    parts = []
    for start in range(0, len(flat), batch):
        chosen = torch.arange(start, min(start + batch, len(flat)), device=flat.device)
        parts.append(method.attribute(examples[chosen // count], baselines=flat[chosen], target=0).detach().cpu())
    return torch.cat(parts).unflatten(0, (-1, count)).mean(1)


def captum_shap(model, examples, references, batch):
    from captum.attr import DeepLiftShap

    method = DeepLiftShap(model)
    return per_example(
        examples, references, batch, lambda x, chunk: method.attribute(x, baselines=chunk, target=0).detach().cpu()
    )


def shap(model, examples, references, batch):
    from shap import DeepExplainer

    def explain(x, chunk):
        values = DeepExplainer(model, chunk).shap_values(x, check_additivity=False)
        return torch.from_numpy(values[..., 0])

    return per_example(examples, references, batch, explain)


def tangermeme(model, examples, references, batch):
    """Contributions at the letters of the example, summed over letters."""
    from tangermeme.deep_lift_shap import deep_lift_shap

    return deep_lift_shap(model, examples, references=references, batch_size=batch, device=str(references.device))


def per_example(examples, references, batch, explain):
    count = references.shape[1]
    results = []
    for x, own in zip(examples, references):
        chunks = own.tensor_split(-(-count // batch))
        results.append(sum(explain(x[None], chunk)[0] * len(chunk) for chunk in chunks) / count)
    return torch.stack(results)


METHODS = {"tangermeme": tangermeme, "captum": captum, "captum-shap": captum_shap, "shap": shap}
