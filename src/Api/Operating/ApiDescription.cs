using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using WebhookService.Api.Security;

namespace WebhookService.Api.Operating;

/// <summary>What the OpenAPI document says beyond the routes: title, the ways to bring a credential, and the scope each route asks for.</summary>
internal sealed class ApiDescription(TokenStore tokens) : IOpenApiDocumentTransformer, IOpenApiOperationTransformer
{
    private const string Bearer = "bearer";
    private const string Basic = "basic";

    public Task TransformAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new()
        {
            Title = "WebhookService",
            Version = "v1",
            Description = """
                Takes in what an EMQX broker pushes by HTTP and answers for the state of the fleet.

                Every call needs a credential with the scope named at the route; `manage` includes `read`. Failures are
                `application/problem+json` (RFC 9457) with a stable `code`, the `parameter` at fault, a `hint` and the `requestId`.
                """,
        };
        document.Components ??= new();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
        {
            [Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A shared token or a JWT." },
            [Basic] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "basic", Description = "Any user name; the token as password." },
        };
        foreach (var header in tokens.Headers)
        {
            document.Components.SecuritySchemes[header] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.ApiKey,
                In = ParameterLocation.Header,
                Name = header,
                Description = "The token in a header of its own.",
            };
        }

        return Task.CompletedTask;
    }

    /// <summary>The scope that a route asks for; null if it is open.</summary>
    public static string? ScopeOf(IList<object> metadata) => metadata.OfType<IAllowAnonymous>().Any()
        ? null
        : metadata.OfType<IAuthorizeData>().LastOrDefault(data => data.Policy is not null)?.Policy;

    public Task TransformAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (ScopeOf(metadata) is not { } scope) return Task.CompletedTask;

        operation.Security = [.. tokens.Headers.Prepend(Basic).Prepend(Bearer)
            .Select(scheme => new OpenApiSecurityRequirement { [new(scheme, context.Document)] = [] })];
        operation.Description = $"{operation.Description}\n\nScope: `{scope}`.".Trim();
        return Task.CompletedTask;
    }
}
