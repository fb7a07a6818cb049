using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Mvc.ModelBinding.Metadata;

namespace WebhookService.Api.Errors;

/// <summary>
/// Names query parameters that an action reads by itself, beside those it binds. A name that ends in <c>*</c> stands for
/// all that begin so: <c>tag.*</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = true)]
internal sealed class AlsoTakesQueryAttribute(string name) : Attribute, IFilterMetadata
{
    public string Name { get; } = name;
}

/// <summary>Refuses query parameters that an action does not know: a misspelt filter that is ignored gives a wrong answer that looks right.</summary>
internal sealed class KnownQueryOnly : IResourceFilter
{
    private readonly ConcurrentDictionary<ActionDescriptor, Known> actions = new();

    public void OnResourceExecuting(ResourceExecutingContext context)
    {
        var query = context.HttpContext.Request.Query;
        if (query.Count == 0) return;

        var known = actions.GetOrAdd(context.ActionDescriptor, Describe, context.HttpContext.RequestServices.GetRequiredService<IModelMetadataProvider>());

        foreach (var (key, values) in query)
        {
            if (known.Names.Contains(key) || known.Prefixes.Any(prefix => key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            {
                if (!values.ToString().Contains('\0')) continue; // it would end SQL's patterns, and let everything pass

                context.Result = Problem.BadRequest("invalid-value", $"'{key}' holds U+0000, which no id and no text has.", key, "Leave out %00.").AsResult();
                return;
            }

            var takes = known.Names.Order(StringComparer.Ordinal).Concat(known.Prefixes.Select(prefix => prefix + "<name>")).ToList();
            context.Result = Problem.BadRequest(
                "unknown-parameter",
                $"The query parameter '{key}' is not known here.",
                key,
                takes.Count == 0 ? "This route takes no query parameters." : $"This route takes {string.Join(", ", takes)}.").AsResult();
            return;
        }
    }

    public void OnResourceExecuted(ResourceExecutedContext context)
    {
    }

    private static Known Describe(ActionDescriptor action, IModelMetadataProvider metadata)
    {
        var names = new List<string>();
        foreach (var parameter in action.Parameters)
        {
            var source = parameter.BindingInfo?.BindingSource;
            if (source is not null && source != BindingSource.Query && source != BindingSource.ModelBinding) continue;

            var type = metadata.GetMetadataForType(parameter.ParameterType);
            if (type.IsComplexType && !type.IsCollectionType) names.AddRange(NamesIn(type));
            else names.Add(parameter.BindingInfo?.BinderModelName ?? parameter.Name);
        }

        var also = action.FilterDescriptors.Select(filter => filter.Filter).OfType<AlsoTakesQueryAttribute>().Select(attribute => attribute.Name).ToList();
        return new(
            names.Concat(also.Where(name => !name.EndsWith('*'))).ToFrozenSet(StringComparer.OrdinalIgnoreCase),
            [.. also.Where(name => name.EndsWith('*')).Select(name => name[..^1])]);
    }

    private static IEnumerable<string> NamesIn(ModelMetadata type) =>
        (type.BoundConstructor?.BoundConstructorParameters ?? [])
            .Concat(type.Properties)
            .Where(member => member.BindingSource is null || member.BindingSource == BindingSource.Query)
            .Where(member => member.MetadataKind == ModelMetadataKind.Parameter || (member.IsBindingAllowed && !member.IsReadOnly))
            .Select(member => member.BinderModelName ?? JsonNamingPolicy.CamelCase.ConvertName(member.Name ?? ""));

    private sealed record Known(FrozenSet<string> Names, string[] Prefixes);
}
