using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Formatters;

namespace WebhookService.Api.Json;

/// <summary>How values look in JSON and in queries: camelCase, enums in kebab-case, times as RFC 3339 in UTC with milliseconds.</summary>
internal static class JsonRoom
{
    public static IServiceCollection AddJson(this IServiceCollection services)
    {
        services.Configure<JsonOptions>(options => Apply(options.JsonSerializerOptions));
        services.ConfigureHttpJsonOptions(options => Apply(options.SerializerOptions)); // the API description reads these
        services.Configure<MvcOptions>(options => options.ModelBinderProviders.Insert(0, new TimeBinderProvider()));
        services.PostConfigure<MvcOptions>(options =>
        {
            // Answers are JSON and nothing else, so none of the other names that MVC gives it.
            options.OutputFormatters.RemoveType<StringOutputFormatter>();
            foreach (var formatter in options.OutputFormatters.OfType<SystemTextJsonOutputFormatter>())
            {
                formatter.SupportedMediaTypes.Clear();
                formatter.SupportedMediaTypes.Add("application/json");
            }
        });
        return services;
    }

    private static void Apply(JsonSerializerOptions options)
    {
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping; // JSON is never written into a page: names stay readable
        options.Converters.Add(new TimeConverter());
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false));
    }
}
