using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding.Metadata;

namespace WebhookService.Api.Errors;

/// <summary>Every answer that is no success is a problem document, whoever refused: a controller, MVC, routing or Kestrel.</summary>
internal static class ErrorsRoom
{
    public static IServiceCollection AddErrors(this IServiceCollection services)
    {
        services.AddExceptionHandler<ErrorMap>();
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.Configure<MvcOptions>(options =>
        {
            options.Filters.Add(new KnownQueryOnly()); // one for all requests: MVC keeps the filters of an action only where none is made for each
            options.ModelMetadataDetailsProviders.Add(new SystemTextJsonValidationMetadataProvider());
            // MVC's own words are left out: BodyMistakes finds better ones.
            options.ModelBindingMessageProvider.SetAttemptedValueIsInvalidAccessor(static (_, _) => "");
            options.ModelBindingMessageProvider.SetNonPropertyAttemptedValueIsInvalidAccessor(static _ => "");
            options.ModelBindingMessageProvider.SetValueMustNotBeNullAccessor(static _ => "");
        });
        services.PostConfigure<ApiBehaviorOptions>(options =>
        {
            options.SuppressMapClientErrors = true;
            options.InvalidModelStateResponseFactory = context => BodyMistakes.From(context).AsResult();
        });
        services.Configure<JsonOptions>(options => options.JsonSerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow);
        services.ConfigureHttpJsonOptions(options => options.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow);
        return services;
    }

    public static WebApplication UseErrors(this WebApplication app)
    {
        app.Use(static async (context, next) =>
        {
            context.Response.Headers[RequestId.Header] = RequestId.Of(context);
            await next(context);
            if (context.Response is { StatusCode: >= 400 and not StatusCodes.Status499ClientClosedRequest, HasStarted: false, ContentLength: null, ContentType: null }) // nobody said why
                await Problem.ForStatus(context, context.Response.StatusCode).WriteAsync(context);
        });
        app.UseExceptionHandler(static _ => { });
        return app;
    }
}
